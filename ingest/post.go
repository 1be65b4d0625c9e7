package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	chunk    chunk
	event    audit.Event // of the item at hand
	held     int64       // bytes taken from the budget
}

func newPost(r *Receiver, sender Sender, received time.Time) *post {
	return &post{Receiver: r, sender: sender, received: received}
}

// run returns nil when all of the body is durable. On an error a part of it may
// be, too: the sender will send it again, and consumers know the copy.
func (p *post) run(ctx context.Context, src io.Reader) error {
	in := &body{src: src, left: p.Limits.BodyBytes, take: func(n int64) error { return p.take(ctx, n) }}
	items := audit.NewSplitter(in, audit.SplitLimits{MaxItemBytes: int(p.Limits.EventBytes)})
	for {
		p.event.Reset()
		item, err := items.NextEvent(&p.event)
		var bad *audit.ItemError
		var badBody *audit.BodyError
		switch {
		case in.err != nil:
			return in.err
		case errors.Is(err, io.EOF):
			return p.flush(ctx)
		case errors.As(err, &bad):
			p.addLetter(topic.DeadLetter{Reason: bad.Reason, Offset: bad.Offset, Fault: bad.At, Length: int64(len(bad.Item))}, bad.Item)
		case errors.As(err, &badBody):
			if err := p.setAside(in, badBody); err != nil {
				return err
			}
			return p.flush(ctx)
		case err != nil:
			return err
		default:
			p.addItem(item)
		}
		if p.chunk.full() {
			if err := p.flush(ctx); err != nil {
				return err
			}
		}
	}
}

// setAside makes a dead letter of a body from where it stops being a list of
// events, read to its end.
func (p *post) setAside(in *body, bad *audit.BodyError) error {
	text := bad.Rest
	if room := p.Limits.DeadLetterBytes - int64(len(text)); room > 0 {
		more, err := io.ReadAll(io.LimitReader(in, room))
		if err != nil {
			return err
		}
		text = append(text[:len(text):len(text)], more...)
	}
	length := int64(len(text))
	for buf := make([]byte, 32<<10); ; {
		n, err := in.Read(buf)
		p.give(int64(n)) // it is not held
		length += int64(n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	p.addLetter(topic.DeadLetter{Reason: topic.ReasonBody + bad.Reason, Offset: bad.Offset, Length: length}, text)
	return nil
}

// addItem makes a record of one event, which has been scanned.
func (p *post) addItem(item []byte) {
	e := &p.event
	clean, err := p.Redactor.Redact(item, e)
	if err != nil {
		p.addLetter(topic.DeadLetter{Reason: topic.ReasonRedact, Length: int64(len(item))}, item)
		return
	}
	p.metrics.observeAge(e.StageTime, p.received)
	record := topic.Event{
		Kind:     topic.KindEvent,
		ID:       e.ID(p.sender.Cluster),
		Cluster:  p.sender.Cluster,
		Sender:   p.nameOf(p.sender),
		Received: p.received,
		Item:     clean,
	}
	p.chunk.events = append(p.chunk.events, record.Record(p.eventPartitions))
	p.chunk.bytes += int64(len(item))
}

// addLetter seals what could not be read, or its first part. The letter has its
// reason, place and length.
func (p *post) addLetter(letter topic.DeadLetter, text []byte) {
	p.metrics.malformed.WithLabelValues(letter.Reason).Inc()
	letter.Cluster, letter.Sender, letter.Received = p.sender.Cluster, p.nameOf(p.sender), p.received
	p.Sealer.Seal(&letter, text[:min(int64(len(text)), p.Limits.DeadLetterBytes)])
	p.chunk.letters = append(p.chunk.letters, letter.Record(p.letterPartitions))
	p.chunk.bytes += int64(len(text))
}

// flush makes the chunk durable and empties it.
func (p *post) flush(ctx context.Context) error {
	start := time.Now()
	if err := p.appendEvents(ctx); err != nil {
		return err
	}
	if err := p.append(ctx, topic.DeadLetters, p.chunk.letters); err != nil {
		return err
	}
	p.metrics.appending.Observe(time.Since(start).Seconds())
	p.give(p.chunk.bytes)
	p.chunk.reset()
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
			p.addLetter(topic.DeadLetter{Reason: topic.ReasonLogSize, Length: int64(len(one[0].Value))}, one[0].Value)
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

// take gets room for n bytes that were just read. Where there is none, what is
// in the chunk becomes durable first: so a request never waits for itself.
func (p *post) take(ctx context.Context, n int64) error {
	p.metrics.bytes.WithLabelValues(string(p.sender.Cluster)).Add(float64(n))
	if p.budget.tryTake(p.sender.Name, n) == nil {
		p.held += n
		return nil
	}
	if err := p.flush(ctx); err != nil {
		return err
	}
	if err := p.budget.take(ctx, p.sender.Name, n); err != nil {
		return err
	}
	p.held += n
	return nil
}

func (p *post) give(n int64) {
	n = min(n, p.held)
	p.budget.give(p.sender.Name, n)
	p.held -= n
}

// release gives back what is left when the request ends.
func (p *post) release() { p.give(p.held) }
