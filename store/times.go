package store

import "time"

// The range of times that the table holds. Its sort key and its partitions are
// made of 32-bit times (toStartOfHour, toDate): beyond it they would wrap, and
// the index would hide the row.
var (
	minTime = time.Unix(0, 0).UTC()
	maxTime = time.Date(2105, 12, 31, 23, 59, 59, 999999000, time.UTC)
)

// Values of the column time_reason: which times lie outside the range.
const (
	outsideTS      = "ts"
	outsideRequest = "request_received"
	outsideBoth    = "ts,request_received"
)

// setTimes fills the columns of the event's times. A time outside the range is
// stored at its edge, never silently: time_reason says so, and the exact one
// lies beside it.
func (r *row) setTimes() {
	var outside, requestOutside bool
	r.ts, r.exactTS, outside = clamp(r.event.StageTime)
	r.requestReceived, r.exactRequestReceived, requestOutside = clamp(r.event.RequestReceived)
	switch {
	case outside && requestOutside:
		r.timeReason = outsideBoth
	case outside:
		r.timeReason = outsideTS
	case requestOutside:
		r.timeReason = outsideRequest
	}
}

// times returns the event's stageTimestamp and requestReceivedTimestamp.
func (r *row) times() (stage, request time.Time) {
	stage, request = r.ts, r.requestReceived
	if r.timeReason == outsideTS || r.timeReason == outsideBoth {
		stage = exact(r.exactTS)
	}
	if r.timeReason == outsideRequest || r.timeReason == outsideBoth {
		request = exact(r.exactRequestReceived)
	}
	return stage, request
}

func clamp(t time.Time) (stored time.Time, micros int64, outside bool) {
	switch {
	case t.Before(minTime):
		return minTime, t.UnixMicro(), true
	case t.After(maxTime):
		return maxTime, t.UnixMicro(), true
	default:
		return t.UTC(), 0, false
	}
}

func exact(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// inRange returns the time of the table that is nearest to t.
func inRange(t time.Time) time.Time {
	stored, _, _ := clamp(t)
	return stored
}
