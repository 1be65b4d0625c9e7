package tail

import (
	"bytes"
	"errors"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
)

// Bounds of a batch. It is also sent when its first line has waited for maxWait.
const (
	batchLines = 400
	batchBytes = 4 << 20
	maxWait    = time.Second
)

// batch is what lines hold, on its way to the receiver: events as a list, and
// apart from them what is no event, as it stands in the file.
type batch struct {
	list      bytes.Buffer
	letters   bytes.Buffer
	bodyEnds  []int       // in letters, of bodies that are full
	event     audit.Event // of the line at hand
	lines     int
	size      int64 // bytes of the lines
	events    int
	malformed map[string]int // by reason
	last      time.Time      // stageTimestamp of the last event
}

// listHead and listTail enclose the items of a body, as API servers write it.
const (
	listHead = `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[`
	listTail = "]}\n"
)

func (b *batch) full() bool {
	return b.lines >= batchLines || b.list.Len()+b.letters.Len() >= batchBytes
}

// reset empties b and keeps its room, within bounds.
func (b *batch) reset() {
	if b.list.Cap() > 4*batchBytes {
		b.list = bytes.Buffer{}
	}
	b.list.Reset()
	if b.letters.Cap() > 4*batchBytes {
		b.letters = bytes.Buffer{}
	}
	b.letters.Reset()
	b.bodyEnds = b.bodyEnds[:0]
	b.lines, b.size, b.events, b.last = 0, 0, 0, time.Time{}
	clear(b.malformed)
}

// head is how API servers begin the line of an event.
var head = []byte(`{"kind":"Event",`)

// add takes a line.
func (b *batch) add(l line) {
	b.lines++
	b.size += l.size
	switch {
	case l.long:
		b.letter(audit.ReasonSize, l.text)
	case bytes.HasPrefix(l.text, head) && audit.Scan(l.text, &b.event) == nil:
		b.item(l.text, b.event.StageTime)
	default:
		b.parts(l.text)
	}
}

// parts takes a line that is not the one of an event as API servers write it:
// it may hold an event as others write it, a list, or several of these, and
// what is none of it.
func (b *batch) parts(text []byte) {
	r := audit.NewReader(bytes.NewReader(text), audit.SplitLimits{MaxItemBytes: maxLine})
	for {
		item, _, err := r.Next()
		var bad *audit.ItemError
		switch {
		case err == nil:
			// What its members hold is for the receiver to judge.
			_ = audit.Scan(item, &b.event)
			b.item(item, b.event.StageTime)
		case errors.As(err, &bad):
			b.salvage(bad.Reason, bad.Item)
		default:
			return // the end of the line
		}
	}
}

// salvage takes what is no event, but for the event that it may end with: where
// a line was cut off, by a full disk or the end of a machine, the next one
// follows it without a newline between.
func (b *batch) salvage(reason string, text []byte) {
	const tries = 16 // what an event quotes may look like the beginning of one
	end := len(text)
	for range tries {
		i := bytes.LastIndex(text[:end], head)
		if i <= 0 {
			break
		}
		if audit.Scan(text[i:], &b.event) == nil {
			b.letter(reason, text[:i])
			b.item(text[i:], b.event.StageTime)
			return
		}
		end = i + len(head) - 1
	}
	b.letter(reason, text)
}

// item takes an event. The receiver takes those with a kind too.
func (b *batch) item(text []byte, at time.Time) {
	if b.events == 0 {
		b.list.WriteString(listHead)
	} else {
		b.list.WriteByte(',')
	}
	b.list.Write(text)
	b.events++
	if !at.IsZero() {
		b.last = at
	}
}

// letter takes what is no event. The receiver keeps a body that is no list as
// one dead letter, and of that a first part: what does not fit into this goes to
// a body of its own.
func (b *batch) letter(reason string, text []byte) {
	if b.malformed == nil {
		b.malformed = map[string]int{}
	}
	b.malformed[reason]++
	if open := b.letters.Len() - b.lastEnd(); open > 0 && open+len(text)+1 > keptLetter {
		b.bodyEnds = append(b.bodyEnds, b.letters.Len())
	}
	b.letters.Write(text)
	b.letters.WriteByte('\n')
}

// lastEnd returns where the body begins that letters are added to.
func (b *batch) lastEnd() int {
	if len(b.bodyEnds) == 0 {
		return 0
	}
	return b.bodyEnds[len(b.bodyEnds)-1]
}

// bodies returns what is to be posted: at most a list, and what is no list.
func (b *batch) bodies() [][]byte {
	var all [][]byte
	if b.events > 0 {
		all = append(all, append(b.list.Bytes(), listTail...))
	}
	text, start := b.letters.Bytes(), 0
	for _, end := range append(b.bodyEnds, len(text)) {
		if end > start {
			all = append(all, text[start:end])
		}
		start = end
	}
	return all
}

// letterCount is how many parts of lines are no events.
func (b *batch) letterCount() (n int64) {
	for _, of := range b.malformed {
		n += int64(of)
	}
	return n
}
