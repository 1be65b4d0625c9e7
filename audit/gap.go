package audit

// Gap says why an event does not hold the object that its request is about.
type Gap string

// The gaps. The first two are the level at which an audit policy would have to
// record such requests.
const (
	GapRequest         Gap = "Request"         // creations and updates: the request is the object
	GapRequestResponse Gap = "RequestResponse" // what else answers with the object
	GapTruncated       Gap = "truncated"       // the API server cut the bodies off
	GapReduced         Gap = "reduced"         // it was too large, and lost a part
	GapNever           Gap = "never"           // no level records it
)

// Gap returns why the event does not hold the object, given that it does not.
func (e *Event) Gap() Gap {
	switch {
	case e.Reduced() != nil:
		return GapReduced
	case e.Annotations.Get("audit.k8s.io/truncated") == "true":
		return GapTruncated
	case e.Level == LevelRequestResponse || e.Verb == "watch" || e.Stage == StageResponseStarted:
		return GapNever
	case e.Level != LevelRequest && (e.Verb == "create" || e.Verb == "update"):
		return GapRequest
	default:
		return GapRequestResponse
	}
}
