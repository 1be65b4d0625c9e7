package audit

import (
	"errors"
	"fmt"
	"strings"

	kjson "sigs.k8s.io/json"
)

// ErrUnknown is the cause of a look into an object that the event does not
// hold: the audit policy did not record it, it was truncated, reduced or does
// not decode. Unknown is not false: a rule that meets it is blind.
var ErrUnknown = errors.New("the event does not hold the object")

// ObjectJSON returns the object as it stands after the request: responseObject,
// else requestObject where that is the whole object (create, update), else
// ErrUnknown. What an API server answers in place of an object is none: how a
// request failed, the table or the metadata that a client may ask for. Where the
// response was left out, the request does not stand for it.
func (e *Event) ObjectJSON() ([]byte, error) {
	if e.ResponseObject == nil && e.Reduced().Concerns("responseObject") {
		return nil, ErrUnknown
	}
	if isWhole(e.ResponseObject) {
		return e.ResponseObject, nil
	}
	if (e.Verb == "create" || e.Verb == "update") && isWhole(e.RequestObject) {
		return e.RequestObject, nil
	}
	return nil, ErrUnknown
}

// isWhole reports whether a body is an object with all that it has.
func isWhole(raw []byte) bool {
	var meta struct {
		Kind       string `json:"kind"`
		APIVersion string `json:"apiVersion"`
	}
	if len(raw) == 0 || raw[0] != '{' || kjson.UnmarshalCaseSensitivePreserveInts(raw, &meta) != nil {
		return false
	}
	switch group, _, _ := strings.Cut(meta.APIVersion, "/"); group {
	case "v1":
		return meta.Kind != "Status"
	case "meta.k8s.io":
		// Table, PartialObjectMetadata and lists of it: any client may ask for
		// them, of what it creates too.
		return false
	default:
		return true
	}
}

// decodeObject decodes the object into v as the API server reads JSON.
func (e *Event) decodeObject(v any) error {
	raw, err := e.ObjectJSON()
	if err != nil {
		return err
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(raw, v); err != nil {
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return nil
}

// Object decodes the object: maps, slices, strings, float64, int64, bool, nil.
func (e *Event) Object() (map[string]any, error) {
	var object map[string]any
	if err := e.decodeObject(&object); err != nil {
		return nil, err
	}
	return object, nil
}
