package store

import "time"

// The range of times that the table holds. Its sort key and its partitions are
// made of 32-bit times (toStartOfHour, toDate): beyond it they would wrap, and
// the index would hide the row.
var (
	minTime = time.Unix(0, 0).UTC()
	maxTime = time.Date(2105, 12, 31, 23, 59, 59, 999999000, time.UTC)
)

// setTimes fills the columns of the event's times. One outside the range is
// stored at its edge and the exact one beside it.
func (r *row) setTimes() {
	r.ts, r.exactTS = clamp(r.event.StageTime)
	r.requestReceived, r.exactRequestReceived = clamp(r.event.RequestReceived)
}

// times returns the event's stageTimestamp and requestReceivedTimestamp.
func (r *row) times() (stage, request time.Time) {
	return exact(r.ts, r.exactTS), exact(r.requestReceived, r.exactRequestReceived)
}

// clamp returns the time of the range that is nearest to t and, where that is
// another, t in microseconds since 1970: never 0, which lies in the range.
func clamp(t time.Time) (stored time.Time, micros int64) {
	switch {
	case t.Before(minTime):
		return minTime, t.UnixMicro()
	case t.After(maxTime):
		return maxTime, t.UnixMicro()
	default:
		return t.UTC(), 0
	}
}

// exact is the reverse of clamp.
func exact(stored time.Time, micros int64) time.Time {
	if micros == 0 {
		return stored
	}
	return time.UnixMicro(micros).UTC()
}

// inRange returns the time of the range that is nearest to t.
func inRange(t time.Time) time.Time {
	stored, _ := clamp(t)
	return stored
}
