package app

// ballastBytes is how much garbage may gather before it is collected, even where
// little memory is in use.
const ballastBytes = 64 << 20

// newBallast returns memory that is never written to, so that the machine gives
// none for it. The collector lets the heap double; one that holds next to nothing,
// as that of a process which only takes events, would be collected for every few
// requests.
func newBallast() []byte { return make([]byte, ballastBytes) }
