package kafka

import "sync"

// outage is whether the brokers take records. After a write that failed for want
// of a broker one caller at a time tries again; the others are told at once.
type outage struct {
	mu     sync.Mutex
	cause  error // nil: they do
	trying bool
}

// err returns the cause of the outage, nil if there is none.
func (o *outage) err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.cause
}

// enter returns nil to who may write, and whether he is the one that tries. He
// leaves, or abandons it.
func (o *outage) enter() (tries bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cause == nil {
		return false, nil
	}
	if o.trying {
		return false, o.cause
	}
	o.trying = true
	return true, nil
}

// leave takes how a write went of who tries or does not: cause is why no broker took it, nil if one
// answered. It returns whether that is news.
func (o *outage) leave(tries bool, cause error) (news bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	news = (cause == nil) != (o.cause == nil)
	o.cause = cause
	o.trying = o.trying && !tries
	return news
}

// abandon ends a try that came to no write.
func (o *outage) abandon(tries bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.trying = o.trying && !tries
}
