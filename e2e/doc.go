// Package e2e tests klaxon, as it is built, against a real Kubernetes API
// server. It is a module of its own so that the packages that this takes are no
// dependencies of klaxon.
package e2e
