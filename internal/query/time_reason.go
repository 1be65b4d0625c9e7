package query

// Reasons why an event is kept apart from those of its day: its time says
// nothing about when it happened, or would make work for everybody.
const (
	TimeTooOld          = "too_old"         // longer before its receipt than the retention, or than a year
	TimeTooFarAhead     = "too_far_ahead"   // more than a day after its receipt
	TimeUnrepresentable = "unrepresentable" // outside the years 1970 to 2105
	TimeScattered       = "scattered"       // it came with events of many other days, most of them newer
)

// Further words that select events by the reason.
const (
	TimeReasonAny  = "any"  // events with a reason
	TimeReasonNone = "none" // events without one
)

// TimeReasons returns all reasons.
func TimeReasons() []string {
	return []string{TimeTooOld, TimeTooFarAhead, TimeUnrepresentable, TimeScattered}
}
