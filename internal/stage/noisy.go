package stage

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/klaxon-dev/klaxon/rules"
)

// A rule that matches more than this share of a minute's events is named; of
// fewer events a share says nothing.
const (
	noisyShare  = 0.05
	noisyEvents = 100
)

// noisy knows which rules match too much to be of use: they are named, never
// muted. It is safe for concurrent use.
type noisy struct {
	share *prometheus.GaugeVec

	mu      sync.Mutex
	minute  time.Time // of receipt, that is counted
	events  int64
	matches map[rules.RuleID]int64
	named   map[rules.RuleID]float64 // by share of the minute before
}

func newNoisy() *noisy {
	return &noisy{
		matches: map[rules.RuleID]int64{},
		share: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "klaxon_match_noisy_rule_share",
			Help: "Rules that matched more than a twentieth of the events of the last minute of which there were a hundred, and the share.",
		}, []string{"rule"}),
	}
}

// add counts the events of a batch, the newest of which was received at a time,
// and empties matches. A minute ends with the first event of a later one.
func (n *noisy) add(newest time.Time, events int, matches map[rules.RuleID]int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if minute := newest.Truncate(time.Minute); minute.After(n.minute) {
		n.judge()
		n.minute, n.events = minute, 0
		clear(n.matches)
	}
	n.events += int64(events)
	for rule, count := range matches {
		n.matches[rule] += count
	}
	clear(matches)
}

// judge names the rules of the minute that has ended.
func (n *noisy) judge() {
	n.share.Reset()
	n.named = map[rules.RuleID]float64{}
	if n.events < noisyEvents {
		return
	}
	for rule, count := range n.matches {
		if share := float64(count) / float64(n.events); share > noisyShare {
			n.named[rule] = share
			n.share.WithLabelValues(string(rule)).Set(share)
		}
	}
}

// String names the rules, those that match most first: "" if there are none.
func (n *noisy) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var names []string
	for rule := range n.named {
		names = append(names, string(rule))
	}
	slices.SortFunc(names, func(a, b string) int {
		x, y := n.named[rules.RuleID(a)], n.named[rules.RuleID(b)]
		if x != y {
			return int(1e6 * (y - x))
		}
		return strings.Compare(a, b)
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %.0f %%", name, 100*n.named[rules.RuleID(name)])
	}
	return strings.Join(names, ", ")
}
