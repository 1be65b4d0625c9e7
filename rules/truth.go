package rules

// Truth is the value of a condition on an event that may not hold all that the
// condition asks for (Kleene's strong logic). The zero value is False.
type Truth uint8

// The truth values. Unknown is not false: what is not recorded may have been
// either.
const (
	False Truth = iota
	Unknown
	True
)

func (t Truth) String() string { return [...]string{"false", "unknown", "true"}[t] }

func truth(b bool) Truth {
	if b {
		return True
	}
	return False
}

// not turns True and False round.
func (t Truth) not() Truth { return True - t }
