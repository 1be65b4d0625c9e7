package engine

import (
	"bytes"
	"sync"
)

// maxLine bounds a line of the child's output, bytes; the rest is cut off.
const maxLine = 4 << 10

// lines is a writer that hands over whole lines. It is safe for concurrent use.
type lines struct {
	each func(line string)

	mu      sync.Mutex
	pending []byte // the line that has not ended, at most maxLine
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for rest := p; len(rest) > 0; {
		line, after, ended := bytes.Cut(rest, []byte("\n"))
		l.pending = append(l.pending, line[:min(len(line), maxLine-len(l.pending))]...)
		if ended {
			l.each(string(bytes.ToValidUTF8(l.pending, []byte("�"))))
			l.pending = l.pending[:0]
		}
		rest = after
	}
	return len(p), nil
}

// tail remembers the last lines, at most maxLine bytes of them.
type tail struct {
	mu   sync.Mutex
	text string
}

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text += line + "\n"
	if len(t.text) > maxLine {
		t.text = t.text[len(t.text)-maxLine:]
	}
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return lastLines(t.text, maxLine)
}
