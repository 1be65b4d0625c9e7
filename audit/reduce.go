package audit

import (
	"errors"
	"fmt"
)

// Sizes of events, in bytes of their JSON as an API server posts it.
const (
	// DefaultEventBytes is the limit of a [Reducer] where nothing else is said.
	DefaultEventBytes = 1 << 20
	// MinEventBytes is the least limit: every event can be reduced to it.
	MinEventBytes = 64 << 10
)

// ErrEventTooLarge is the error of an event that does not fit however much of
// it is left out. There should be none.
var ErrEventTooLarge = errors.New("the event is too large whatever of it is left out")

// Reducer makes of an event what is kept of it: its secrets are redacted, and
// what is larger than a limit is left out and marked, until the event fits. Its
// result is a function of the event, whichever way that came and however it was
// spelled (docs/identity.md). It is safe for concurrent use.
type Reducer struct {
	redactor *Redactor
	limit    int
}

// NewReducer returns a reducer to at most limit bytes. The redactor's key also
// makes the hashes of what is left out.
func NewReducer(redactor *Redactor, limit int) (*Reducer, error) {
	if limit < MinEventBytes {
		return nil, fmt.Errorf("the limit of events is %d bytes, at least %d are needed", limit, MinEventBytes)
	}
	return &Reducer{redactor: redactor, limit: limit}, nil
}

// Reduction says how far an event was reduced.
type Reduction string

// What an event was reduced by, each with all that is above it.
const (
	NotReduced     Reduction = ""
	ReducedBodies  Reduction = "bodies"  // bodies are left out
	ReducedStrings Reduction = "strings" // long strings are cut
	ReducedLists   Reduction = "lists"   // long lists are cut
	ReducedMore    Reduction = "more"    // shorter strings and lists are cut, too
)

// Reduce returns the JSON of what is kept of an event, at most the limit, and
// makes e the event that this is the JSON of. e is what [Scan] makes of item.
// Where there is nothing to redact or reduce it returns item itself; else the
// result shares no memory with it. An error means that nothing of the item may
// be kept in the clear.
func (r *Reducer) Reduce(item []byte, e *Event) ([]byte, Reduction, error) {
	clean, err := r.redactor.redactWithin(item, e, r.growth())
	switch {
	case errors.Is(err, errOvergrown):
		return r.reduce(item, e, true)
	case err != nil:
		return nil, NotReduced, err
	case r.surelyFits(clean):
		return clean, NotReduced, nil
	}
	text, fits := r.text(e)
	switch {
	case !fits:
		return r.reduce(item, e, false)
	case len(clean) > r.limit: // by its spelling only
		return text, NotReduced, Scan(text, e)
	default:
		return clean, NotReduced, nil
	}
}

// growth is by how many bytes redaction may make an event longer that fits: its
// markers fit, too, and what is no Unicode becomes up to three times as long.
func (r *Reducer) growth() int { return 3 * r.limit }

// reduce leaves out of an event as little as it can. Where redaction was given
// up, e is not redacted.
func (r *Reducer) reduce(item []byte, e *Event, overgrown bool) ([]byte, Reduction, error) {
	if overgrown || e.RequestObject != nil || e.ResponseObject != nil {
		if text, how, err := r.withoutBodies(item, e); text != nil || err != nil {
			return text, how, err
		}
	}
	for _, s := range shorter {
		short := r.shorten(e, s)
		if text, fits := r.text(&short); fits {
			return text, s.name, Scan(text, e)
		}
	}
	return nil, NotReduced, ErrEventTooLarge
}
