package topic

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/stream"
)

// Whoever may write to the topics may write anything. What is read here is bounded,
// and errors say what is wrong with a record, and nothing that is in it.

const (
	// maxSender bounds a sender's name, bytes: that of a process and of a credential.
	maxSender = 256
	// maxCluster bounds a cluster's name, bytes.
	maxCluster = 63
	// maxAhead is how far a time of receipt may lie after the log took the record,
	// which it does in truth: clocks differ.
	maxAhead = time.Minute
)

// ErrVersion is the cause of a decoding that met a newer major version.
var ErrVersion = errors.New("the record was written by a newer klaxon")

func checkVersion(r *stream.Record) error {
	v := string(r.Header(headerVersion))
	if v == Version {
		return nil
	}
	first, second, ok := strings.Cut(v, ".")
	major, err := strconv.ParseUint(first, 10, 16)
	if _, err2 := strconv.ParseUint(second, 10, 16); !ok || err != nil || err2 != nil {
		return fmt.Errorf("header %s: no schema version", headerVersion)
	}
	if major > 1 {
		return fmt.Errorf("%w: schema %d, this one reads 1.x: upgrade it", ErrVersion, major)
	}
	return nil
}

// timeOf returns the time in a header.
func timeOf(r *stream.Record, header string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, string(r.Header(header)))
	if err != nil {
		return t, fmt.Errorf("header %s: no time", header)
	}
	return t.UTC(), nil
}

// receivedOf returns when what a record holds was taken. Detection's time follows
// it, so that it is never far ahead of the log's own.
func receivedOf(r *stream.Record) (time.Time, error) {
	t, err := timeOf(r, headerReceived)
	if err == nil && t.Before(time.Unix(0, 0)) {
		err = fmt.Errorf("header %s: a time before 1970", headerReceived)
	}
	return notAhead(r, t), err
}

// notAhead returns t, or the latest time that a record can speak of.
func notAhead(r *stream.Record, t time.Time) time.Time {
	if latest := r.Time.Add(maxAhead); !r.Time.IsZero() && t.After(latest) {
		return latest
	}
	return t
}

func senderOf(r *stream.Record) (string, error) {
	s := r.Header(headerSender)
	if len(s) > maxSender {
		return "", fmt.Errorf("header %s: %d bytes, more than %d", headerSender, len(s), maxSender)
	}
	return string(s), nil
}

func clusterOf(r *stream.Record) (audit.ClusterID, error) {
	c := r.Header(headerCluster)
	if len(c) > maxCluster {
		return "", fmt.Errorf("header %s: %d bytes, more than %d", headerCluster, len(c), maxCluster)
	}
	return audit.ClusterID(c), nil
}

// decode decodes a record's value into v, where it is not too long.
func decode(r *stream.Record, most int, v any) error {
	if len(r.Value) > most {
		return fmt.Errorf("%d bytes, more than %d", len(r.Value), most)
	}
	err := json.Unmarshal(r.Value, v)
	var (
		syntax *json.SyntaxError
		kind   *json.UnmarshalTypeError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		return fmt.Errorf("no JSON, at byte %d", syntax.Offset)
	case errors.As(err, &kind):
		return fmt.Errorf("JSON of another type, at byte %d", kind.Offset)
	}
	return errors.New("JSON with a member that cannot be read")
}
