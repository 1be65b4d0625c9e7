package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream"
)

// post is one request on its way into the log, item by item. It is used by one
// goroutine.
type post struct {
	*Receiver
	sender   Sender
	received time.Time
	body     *body
	items    *audit.Splitter
	chunk    chunk
	headers  []stream.Header // of all its events
	event    audit.Event     // of the item at hand
	hand     int64           // bytes that are at hand: neither in items nor in chunk
	held     int64           // bytes taken from the budget
	large    func()          // gives back the slot of a large event; nil without one
}

func newPost(ctx context.Context, r *Receiver, sender Sender, received time.Time, src io.Reader) *post {
	p := &post{Receiver: r, sender: sender, received: received}
	p.body = &body{src: src, left: p.Limits.BodyBytes, take: func(n int64) error { return p.take(ctx, n) }}
	p.headers = (&topic.Event{Kind: topic.KindEvent, Cluster: sender.Cluster, Sender: r.nameOf(sender), Received: received}).Headers()
	p.items = audit.NewSplitter(p.body, audit.SplitLimits{MaxItemBytes: int(p.Limits.ItemBytes)})
	return p
}

// run returns nil when all of the body is durable. On an error a part of it may
// be, too: the sender will send it again, and consumers know the copy.
func (p *post) run(ctx context.Context) error {
	for {
		p.event.Reset()
		item, err := p.items.NextEvent(&p.event)
		var bad *audit.ItemError
		var badBody *audit.BodyError
		switch {
		case p.body.err != nil:
			return p.body.err
		case errors.Is(err, io.EOF):
			return p.flush(ctx)
		case errors.As(err, &bad):
			err = p.addLetter(ctx, topic.DeadLetter{Reason: bad.Reason, Offset: bad.Offset, Fault: bad.At, Length: int64(len(bad.Item))}, bad.Item)
		case errors.As(err, &badBody):
			if err := p.setAside(ctx, badBody); err != nil {
				return err
			}
			return p.flush(ctx)
		case err == nil:
			err = p.addItem(ctx, item)
		}
		if err != nil {
			return err
		}
		if p.chunk.full() {
			if err := p.flush(ctx); err != nil {
				return err
			}
		}
		p.leaveLarge(largeBytes)
	}
}

// setAside makes a dead letter of a body from where it stops being a list of
// events, read to its end.
func (p *post) setAside(ctx context.Context, bad *audit.BodyError) error {
	text := bad.Rest
	if room := p.Limits.DeadLetterBytes - int64(len(text)); room > 0 {
		p.hand = room
		more, err := io.ReadAll(io.LimitReader(p.body, room))
		if err != nil {
			return err
		}
		text = append(text[:len(text):len(text)], more...)
	}
	length := int64(len(text))
	for buf := make([]byte, 32<<10); ; {
		n, err := p.body.Read(buf) // and is not kept
		length += int64(n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	return p.addLetter(ctx, topic.DeadLetter{Reason: topic.ReasonBody + bad.Reason, Offset: bad.Offset, Length: length}, text)
}

// addItem makes a record of one event, which has been scanned.
func (p *post) addItem(ctx context.Context, item []byte) error {
	e := &p.event
	p.hand = int64(len(item))
	clean, how, err := p.reduce(ctx, item)
	switch {
	case errors.Is(err, audit.ErrEventTooLarge):
		return p.addLetter(ctx, topic.DeadLetter{Reason: topic.ReasonReduce, Length: int64(len(item))}, item)
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return p.addLetter(ctx, topic.DeadLetter{Reason: topic.ReasonRedact, Length: int64(len(item))}, item)
	case how != audit.NotReduced:
		p.metrics.reduced.WithLabelValues(string(how)).Inc()
	}
	p.metrics.observeAge(e.StageTime, p.received)
	record := topic.Event{Kind: topic.KindEvent, ID: e.ID(p.sender.Cluster), Item: clean}
	p.chunk.events = append(p.chunk.events, record.RecordUnder(p.headers, p.eventPartitions))
	if &clean[0] == &item[0] {
		return p.keep(ctx, 0)
	}
	return p.keep(ctx, len(clean))
}

// reduce redacts and reduces the item at hand. What is done to one that is too
// large takes several times its size of memory: they take turns.
func (p *post) reduce(ctx context.Context, item []byte) ([]byte, audit.Reduction, error) {
	if int64(len(item)) <= p.Limits.EventBytes {
		return p.reducer.Reduce(item, &p.event)
	}
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
		return p.reducer.Reduce(item, &p.event)
	case <-ctx.Done():
		return nil, audit.NotReduced, ctx.Err()
	}
}

// addLetter seals what could not be read, or its first part. The letter has its
// reason, place and length.
func (p *post) addLetter(ctx context.Context, letter topic.DeadLetter, text []byte) error {
	p.hand = int64(len(text))
	return p.keep(ctx, p.seal(letter, text))
}

// seal returns the length of what it adds to the chunk.
func (p *post) seal(letter topic.DeadLetter, text []byte) int {
	p.metrics.malformed.WithLabelValues(letter.Reason).Inc()
	letter.Cluster, letter.Sender, letter.Received = p.sender.Cluster, p.nameOf(p.sender), p.received
	p.Sealer.Seal(&letter, text[:min(int64(len(text)), p.Limits.DeadLetterBytes)])
	p.chunk.letters = append(p.chunk.letters, letter.Record(p.letterPartitions))
	return len(letter.Sealed)
}

// keep counts what is at hand as the chunk's, with so many bytes that were made
// of it. What came is held as long as its neighbours, whose memory it shares.
func (p *post) keep(ctx context.Context, made int) error {
	p.chunk.bytes += p.hand + int64(made)
	p.hand = 0
	return p.hold(ctx)
}

// flush makes the chunk durable and empties it.
func (p *post) flush(ctx context.Context) error {
	if p.chunk.empty() {
		p.give(p.held - p.inMemory())
		return nil
	}
	start := time.Now()
	if err := p.appendEvents(ctx); err != nil {
		return err
	}
	if err := p.append(ctx, topic.DeadLetters, p.chunk.letters); err != nil {
		return err
	}
	p.metrics.appending.Observe(time.Since(start).Seconds())
	p.chunk.reset()
	p.give(p.held - p.inMemory())
	return nil
}

// appendEvents appends the events; one that the log would never take becomes a
// dead letter instead of costing its neighbours.
func (p *post) appendEvents(ctx context.Context) error {
	err := p.append(ctx, topic.Events, p.chunk.events)
	if !errors.Is(err, stream.ErrTooLarge) {
		return err
	}
	for i := range p.chunk.events {
		one := p.chunk.events[i : i+1]
		err := p.append(ctx, topic.Events, one)
		if errors.Is(err, stream.ErrTooLarge) {
			p.seal(topic.DeadLetter{Reason: topic.ReasonLogSize, Length: int64(len(one[0].Value))}, one[0].Value)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *post) append(ctx context.Context, name string, records []stream.Record) error {
	if len(records) == 0 {
		return nil
	}
	if err := p.Producer.Append(ctx, name, records); err != nil {
		return fmt.Errorf("append to %s: %w", name, err)
	}
	if name == topic.Events {
		p.metrics.events.WithLabelValues(string(p.sender.Cluster)).Add(float64(len(records)))
	}
	return nil
}

// take is told of n bytes that were just read.
func (p *post) take(ctx context.Context, n int64) error {
	p.metrics.bytes.WithLabelValues(string(p.sender.Cluster)).Add(float64(n))
	if err := p.enterLarge(ctx); err != nil {
		return err
	}
	return p.hold(ctx)
}

// inMemory is what the request holds, in bytes.
func (p *post) inMemory() int64 { return int64(p.items.Held()) + p.hand + p.chunk.bytes }

// hold takes from the budget what the request holds by now. Where there is no
// room, what is in the chunk becomes durable first: so a request never waits for
// itself.
func (p *post) hold(ctx context.Context) error {
	n := p.inMemory() - p.held
	if n <= 0 {
		return nil
	}
	if p.budget.tryTake(p.sender.Name, n) != nil {
		if err := p.flush(ctx); err != nil {
			return err
		}
		if n = p.inMemory() - p.held; n <= 0 {
			return nil
		}
		if err := p.budget.take(ctx, p.sender.Name, n); err != nil {
			return err
		}
	}
	p.held += n
	return nil
}

func (p *post) give(n int64) {
	n = min(max(n, 0), p.held)
	p.budget.give(p.sender.Name, n)
	p.held -= n
}

// largeBytes is from what size on the events of a sender are read one at a time:
// while it grows, one takes up to three times its size.
const largeBytes = 4 << 20

func (p *post) enterLarge(ctx context.Context) error {
	if p.large != nil || p.items.Held() <= largeBytes {
		return nil
	}
	if err := p.flush(ctx); err != nil { // it is not held while this waits
		return err
	}
	leave, err := p.gate.enterLarge(ctx, p.sender.Name)
	if err == nil {
		p.large = leave
	}
	return err
}

// leaveLarge gives back the slot if no more than most bytes are being read.
func (p *post) leaveLarge(most int) {
	if p.large != nil && p.items.Held() <= most {
		p.large()
		p.large = nil
	}
}

// release gives back what is left when the request ends.
func (p *post) release() {
	p.leaveLarge(math.MaxInt)
	p.give(p.held)
}
