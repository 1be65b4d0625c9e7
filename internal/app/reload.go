package app

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/klaxon-dev/klaxon/rules"
)

// pollRules is how often the rule files are looked at for a change.
const pollRules = 10 * time.Second

// errNoRules says that there is nothing to look for.
var errNoRules = errors.New("rules: there are none: set rules.no_builtin to false or name files in rules.paths")

// ruleKeeper reads the rules at the start, and again when their files change or
// it is asked to. It is used by one goroutine, but for ask.
type ruleKeeper struct {
	loader  *rules.Loader
	clock   func() time.Time
	logger  *slog.Logger
	use     func(*rules.Set) // hands a new set to the stages
	set     *rules.Set       // that is in use
	stamp   string           // of the files as they were read
	asked   chan struct{}
	broken  prometheus.Gauge
	loaded  prometheus.Gauge
	reloads *prometheus.CounterVec
}

// Results of a reload.
const (
	reloadOK       = "ok"
	reloadProblems = "problems" // some files have mistakes: they stay as they were
	reloadRefused  = "refused"  // there would be no rule left: all stay as they were
)

func newRuleKeeper(c RulesConfig, clock func() time.Time, logger *slog.Logger, reg prometheus.Registerer) *ruleKeeper {
	k := &ruleKeeper{
		loader: rules.NewLoader(rules.Sources{NoBuiltin: c.NoBuiltin, Paths: c.Paths}),
		clock:  clock,
		logger: logger,
		asked:  make(chan struct{}, 1),
		broken: prometheus.NewGauge(prometheus.GaugeOpts{Name: "klaxon_rules_problems", Help: "Mistakes in the rule files that were read; what has one is not evaluated, or stays as it was."}),
		loaded: prometheus.NewGauge(prometheus.GaugeOpts{Name: "klaxon_rules_loaded", Help: "Rules that are evaluated."}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "klaxon_rules_reloads_total", Help: "Times that the rule files were read again: ok, problems (files with mistakes stay as they were), refused (no rule would be left)."},
			[]string{"result"}),
	}
	reg.MustRegister(k.broken, k.loaded, k.reloads)
	for _, result := range []string{reloadOK, reloadProblems, reloadRefused} {
		k.reloads.WithLabelValues(result)
	}
	return k
}

// load reads the rules. Those with mistakes are named and left out: the others go
// on looking. It returns how it went.
func (k *ruleKeeper) load() (result string) {
	k.stamp = k.loader.Stamp() // before reading: what changes meanwhile is read again
	set, problems := k.loader.Load(k.clock())
	broken := problems.Errors()
	for _, p := range broken {
		k.logger.Error("a mistake in the rules", "problem", p.Error())
	}
	for _, p := range problems.Aged() {
		k.logger.Warn("the rules have aged", "problem", p.Error())
	}
	k.broken.Set(float64(len(broken)))
	set, long := set.Streamed()
	if len(set.Rules) == 0 {
		return reloadRefused
	}
	for _, r := range long {
		k.logger.Warn("a rule looks further back than the stream and is not evaluated by serve: 'klaxon scan' evaluates it", "rule", r.ID, "file", r.File, "line", r.Line)
	}
	k.loaded.Set(float64(len(set.Rules)))
	k.set = set
	if len(broken) > 0 {
		return reloadProblems
	}
	return reloadOK
}

// reload reads the rules again and hands them on.
func (k *ruleKeeper) reload() {
	before := k.set
	result := k.load()
	defer func() { k.reloads.WithLabelValues(result).Inc() }()
	if result == reloadRefused {
		k.logger.Error("no rule is left: those that there were stay", "rules", len(before.Rules))
		return
	}
	added, changed, gone := compare(before, k.set)
	k.logger.Info("the rules were read again", "rules", len(k.set.Rules), "added", added, "changed", changed, "gone", gone, "result", result)
	k.use(k.set)
}

// compare counts in what two sets differ, by the versions of their rules.
func compare(before, after *rules.Set) (added, changed, gone int) {
	for _, r := range after.Rules {
		switch old := before.Rule(r.ID); {
		case old == nil:
			added++
		case old.Version != r.Version:
			changed++
		}
	}
	return added, changed, len(before.Rules) + added - len(after.Rules)
}

// ask makes run read the rules again. It does not wait and is safe for concurrent
// use.
func (k *ruleKeeper) ask() {
	select {
	case k.asked <- struct{}{}:
	default: // it was asked already
	}
}

// run reads the rules again whenever it is asked to or a file has changed, until
// ctx ends.
func (k *ruleKeeper) run(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.asked:
			k.reload()
		case <-ticker.C:
			if k.loader.Stamp() != k.stamp {
				k.reload()
			}
		}
	}
}
