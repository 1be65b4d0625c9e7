package output

import (
	"strings"
	"testing"
)

func TestSlack(t *testing.T) {
	f := func(s string, max int, want string) {
		t.Helper()
		if got := Slack(s, max); got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
	}
	f("plain", 20, "plain")
	f("<!channel>", 20, "&lt;!channel&gt;")
	f("<https://x|y>", 20, "&lt;https://x|y&gt;")
	f("a & b", 20, "a &amp; b")
	f("&lt;", 20, "&amp;lt;")
	f("<<<<", 3, "&lt;&lt;…")
	f("\x1b[2J", 20, `\x1b[2J`)
	f("hi @here", 20, "hi @\u200bhere")
}

func TestSlackHostile(t *testing.T) {
	for _, s := range hostile {
		if got := Slack(s, 256); strings.ContainsAny(got, "<>") || strings.Contains(got, "@here") {
			t.Errorf("%.80q: %.200q", s, got)
		}
	}
}
