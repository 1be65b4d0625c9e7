package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"strconv"
	"time"
)

// version hashes what decides which findings a rule makes.
func version(r *Rule) string {
	h := sha256.New()
	write := writer(h)
	write("1", text(r.When), r.Suppress.String())
	for _, f := range r.By {
		write("by", f.Name)
	}
	writeWindow(write, &r.Window)
	for _, e := range r.Exceptions {
		write("exception", e.Name, text(e.When), e.Expires.Format(time.RFC3339))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// shape hashes what matches of a rule are gathered by, and what their findings are
// named with: only those of one shape can be gathered together.
func shape(r *Rule) string {
	h := sha256.New()
	write := writer(h)
	write("1", string(r.Window.Kind), strconv.Itoa(r.Window.AtLeast), r.Window.Within.String(), r.Window.Learn.String(),
		strconv.FormatBool(r.Window.Ordered), strconv.FormatBool(r.Window.Until != nil), r.Suppress.String())
	if r.Window.Value != nil {
		write("value", r.Window.Value.Name)
	}
	write(r.Title.placeholders()...)
	for i := range r.Parts {
		write("part")
		for _, f := range r.Parts[i].By {
			write("by", f.Name)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:4])
}

// writer returns how texts are added to a hash, each with its length.
func writer(h hash.Hash) func(...string) {
	return func(parts ...string) {
		for _, p := range parts {
			fmt.Fprintf(h, "%d:%s", len(p), p)
		}
	}
}

func writeWindow(write func(...string), w *Window) {
	if w.Kind == Count && w.AtLeast == 1 {
		return
	}
	write("window", string(w.Kind), strconv.Itoa(w.AtLeast), w.Within.String(), w.Learn.String(), strconv.FormatBool(w.Ordered))
	if w.Value != nil {
		write("value", w.Value.Name)
	}
	step := func(name string, s *Step) {
		write(name, text(s.When))
		for _, f := range s.By {
			write("by", f.Name)
		}
	}
	for i := range w.Steps {
		step("step", &w.Steps[i])
	}
	if w.Until != nil {
		step("until", w.Until)
	}
}

func text(c *Condition) string {
	if c == nil {
		return ""
	}
	return c.text
}
