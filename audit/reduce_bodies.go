package audit

import "errors"

// parts are those of an event that are left out as a whole.
type parts uint8

const (
	partRequest parts = 1 << iota
	partResponse
	partRest
	partURI // but for its beginning: it holds tokens without number

	partBodies = partRequest | partResponse
)

// withoutBodies leaves out the first of these that lets the event fit: the
// request's body, since the response holds the object as it stands afterwards;
// the response's; both. A URI that holds tokens without number is cut before.
// Where none lets it fit, there is no text, and e is the redacted event without
// bodies.
func (r *Reducer) withoutBodies(item []byte, e *Event) ([]byte, Reduction, error) {
	var whole Event // not redacted, and read anew: what is left out may be of any size
	if err := Scan(item, &whole); err != nil {
		return nil, NotReduced, err
	}
	normalizeBodies(&whole)
	have, how := whole.parts(), ReducedBodies
	if _, ok := r.redactor.cleanURI(whole.RequestURI); !ok {
		have, how = have|partURI, ReducedStrings
	}
	for _, drop := range attempts(have) {
		last := drop&partBodies == have&partBodies
		text, err := r.without(&whole, drop, last, e)
		switch {
		case errors.Is(err, errOvergrown):
		case text != nil, err != nil, last:
			return text, how, err
		}
	}
	return nil, NotReduced, ErrEventTooLarge
}

// attempts are the parts to leave out, in order. The rest goes only where it
// holds secrets without number; a URI that does goes always.
func attempts(have parts) []parts {
	bodies, always := have&partBodies, have&partURI
	list := []parts{bodies | always}
	if bodies == partBodies {
		list = []parts{partRequest | always, partResponse | always, partBodies | always}
	}
	if always != 0 && bodies != 0 {
		list = append([]parts{always}, list...)
	}
	if have&partRest != 0 {
		list = append(list, bodies|always|partRest)
	}
	return list
}

func (e *Event) parts() (have parts) {
	if e.RequestObject != nil {
		have |= partRequest
	}
	if e.ResponseObject != nil {
		have |= partResponse
	}
	if e.Rest != nil {
		have |= partRest
	}
	return have
}

// without makes e the redacted event without some parts, and returns its JSON
// if it fits. The last attempt must not fail for the secrets that the event's
// other members hold: the shortest string that is one is a sixth of its marker.
func (r *Reducer) without(whole *Event, drop parts, last bool, e *Event) ([]byte, error) {
	part := r.drop(whole, drop)
	text := appendItem(&part)
	if err := Scan(text, e); err != nil {
		return nil, err
	}
	growth := r.growth()
	if last {
		growth += 6 * len(text)
	}
	if _, err := r.redactor.redactWithin(text, e, growth); err != nil {
		return nil, err
	}
	kept, fits := r.text(e)
	if !fits {
		return nil, nil
	}
	return kept, Scan(kept, e)
}

// drop returns the event without some parts, which are marked.
func (r *Reducer) drop(whole *Event, drop parts) Event {
	part := *whole
	m := readMarks(r.redactor, whole.Rest)
	if drop&partRequest != 0 {
		m.add("requestObject", part.RequestObject, len(part.RequestObject))
		part.RequestObject = nil
	}
	if drop&partResponse != 0 {
		m.add("responseObject", part.ResponseObject, len(part.ResponseObject))
		part.ResponseObject = nil
	}
	if drop&partURI != 0 {
		uri := part.RequestURI
		part.RequestURI = uri[:safePrefix(uri, shorter[0].keep)] + m.add("requestURI", []byte(uri), len(uri))
	}
	if drop&partRest != 0 {
		m.dropOthers()
	}
	part.Rest = m.rest()
	return part
}
