// Package api is the HTTP API that analysts, the command line and the pages ask:
// what happened, and what was found.
//
// Every request carries a bearer token of a configured [Principal]. Its role
// says which routes it may use, its clusters what it may see: they are part of
// every query, and what comes back is checked against them once more. Every
// read of evidence is recorded with who, what and when before it is answered.
//
// Answers are JSON, errors are problem documents (RFC 9457) with a sentence
// that says what is wrong and what to do. The OpenAPI document at
// /api/v1/openapi.json describes all of it.
package api
