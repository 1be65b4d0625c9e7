package detect

import "time"

// MaxClockSkew is how far an event's time may lie after its record was
// received. More is taken as received plus MaxClockSkew.
const MaxClockSkew = time.Minute

// eventTime returns the time that counts for an event with the given
// stageTimestamp; received is zero for files.
func eventTime(stage, received time.Time) time.Time {
	if latest := received.Add(MaxClockSkew); !received.IsZero() && stage.After(latest) {
		return latest
	}
	// A zone's offset leads out of the years that have four digits, which are
	// all that JSON can say: a match outside of them could not be written down.
	switch year := stage.UTC().Year(); {
	case year < 0:
		return time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	case year > 9999:
		return time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
	}
	return stage
}
