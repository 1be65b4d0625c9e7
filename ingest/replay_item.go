package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// microTime is how API servers write times (metav1.MicroTime).
const microTime = "2006-01-02T15:04:05.000000Z07:00"

// WebhookItem returns an event as a webhook's POST carries it: without kind and
// apiVersion, which log lines have, and with requestReceivedTimestamp and
// stageTimestamp moved by delta. The rest of it stays byte for byte.
func WebhookItem(event []byte, delta time.Duration) ([]byte, error) {
	out := append(make([]byte, 0, len(event)), '{')
	err := members(event, func(key, member, value []byte) error {
		switch string(key) {
		case `"kind"`, `"apiVersion"`:
			return nil
		case `"requestReceivedTimestamp"`, `"stageTimestamp"`:
			if delta == 0 {
				break
			}
			moved, err := moveTime(value, delta)
			if err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
			// What is between key and value stays.
			member = append(bytes.Clone(member[:len(member)-len(value)]), moved...)
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, member...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("event: %w", err)
	}
	return append(out, '}'), nil
}

// EventTime returns an event's stageTimestamp, the zero time if it has none.
func EventTime(event []byte) (time.Time, error) {
	var at time.Time
	err := members(event, func(key, _, value []byte) (err error) {
		if string(key) == `"stageTimestamp"` {
			at, err = parseTime(value)
		}
		return err
	})
	return at, err
}

// members calls do for each member of a JSON object, with the text of its key,
// of itself and of its value. They are views into object.
func members(object []byte, do func(key, member, value []byte) error) error {
	d := jsontext.NewDecoder(bytes.NewReader(object), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	token, err := d.ReadToken()
	if err != nil {
		return err
	}
	if token.Kind() != '{' {
		return errors.New("it is no JSON object")
	}
	for d.PeekKind() != '}' {
		key, err := d.ReadValue()
		if err != nil {
			return err
		}
		end := d.InputOffset()
		start := end - int64(len(key))
		value, err := d.ReadValue()
		if err != nil {
			return err
		}
		stop := d.InputOffset()
		at := stop - int64(len(value))
		if err := do(object[start:end], object[start:stop], object[at:stop]); err != nil {
			return err
		}
	}
	_, err = d.ReadToken()
	return err
}

func moveTime(value []byte, delta time.Duration) ([]byte, error) {
	t, err := parseTime(value)
	if err != nil || t.IsZero() {
		return value, err
	}
	return json.Marshal(t.Add(delta).UTC().Format(microTime))
}

// parseTime reads a JSON time; null and "" are the zero time.
func parseTime(value []byte) (time.Time, error) {
	var text *string
	if err := json.Unmarshal(value, &text); err != nil {
		return time.Time{}, err
	}
	if text == nil || *text == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.RFC3339Nano, *text)
}
