package chaos

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
)

// Journal keeps on disk what was sent, in the order in which it was made, and
// the ids in memory. It is safe for concurrent use.
type Journal struct {
	mu   sync.Mutex
	file *os.File
	out  *bufio.Writer
	ids  map[audit.EventID]int // rows that were found of it

	unknown int // rows of no event of the journal
}

// entry heads a batch in the file; its body follows.
type entry struct {
	Cluster string          `json:"cluster"`
	Made    time.Time       `json:"made"`
	Bytes   int             `json:"bytes"`
	IDs     []audit.EventID `json:"ids"`
}

// NewJournal makes the file.
func NewJournal(path string) (*Journal, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	return &Journal{file: file, out: bufio.NewWriterSize(file, 1<<20), ids: map[audit.EventID]int{}}, nil
}

// Add writes a batch down.
func (j *Journal) Add(b *Batch) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	head, err := json.Marshal(entry{Cluster: b.Cluster, Made: b.Made, Bytes: len(b.Body), IDs: b.IDs})
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	_, _ = j.out.Write(append(head, '\n')) // the writer keeps its first error
	if _, err := j.out.Write(b.Body); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	for _, id := range b.IDs {
		j.ids[id] = 0
	}
	return nil
}

// Batches hands every batch over, in order. Nothing may be added meanwhile.
func (j *Journal) Batches(do func(*Batch) error) error {
	if err := j.out.Flush(); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if _, err := j.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	in := bufio.NewReaderSize(j.file, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		var head entry
		if err == nil {
			err = json.Unmarshal(line, &head)
		}
		if err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		b := &Batch{Cluster: head.Cluster, Made: head.Made, Body: make([]byte, head.Bytes), IDs: head.IDs}
		if _, err := io.ReadFull(in, b.Body); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		if err := do(b); err != nil {
			return err
		}
	}
}

// Close closes the file, which stays.
func (j *Journal) Close() error { return j.file.Close() }

// Events returns how many events there are.
func (j *Journal) Events() int { return len(j.ids) }

// Found notes a row of the store.
func (j *Journal) Found(id audit.EventID) {
	if n, known := j.ids[id]; known {
		j.ids[id] = n + 1
		return
	}
	j.unknown++
}

// Tally is what became of the events of a journal.
type Tally struct {
	Sent, Stored, Lost, Doubled int
	Unknown                     int // rows of no event that was sent
}

// Tally counts, after all rows of the store were noted.
func (j *Journal) Tally() Tally {
	t := Tally{Sent: len(j.ids), Unknown: j.unknown}
	for _, n := range j.ids {
		switch {
		case n == 0:
			t.Lost++
		case n > 1:
			t.Doubled++
		}
	}
	t.Stored = t.Sent - t.Lost
	return t
}

// Lost returns some of the events that have no row.
func (j *Journal) Lost(most int) []audit.EventID {
	var ids []audit.EventID
	for id, n := range j.ids {
		if n == 0 && len(ids) < most {
			ids = append(ids, id)
		}
	}
	return ids
}
