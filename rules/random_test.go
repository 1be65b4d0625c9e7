package rules

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/klaxon-dev/klaxon/audit"
)

// random makes conditions of the language's forms, and counts of which.
type random struct {
	*rand.Rand
	made map[string]int
}

func newRandom(a, b uint64) *random {
	return &random{Rand: rand.New(rand.NewPCG(a, b)), made: map[string]int{}}
}

func (r *random) pick(of ...string) string { return of[r.IntN(len(of))] }

// form is a way to make a part of a condition; parts inside it are one less deep.
type form struct {
	name string
	make func(depth int) string
}

// one makes one of several forms.
func (r *random) one(depth int, forms ...form) string {
	f := forms[r.IntN(len(forms))]
	r.made[f.name]++
	return f.make(depth - 1)
}

// condition makes a part that is true or false.
func (r *random) condition(depth int) string {
	if depth <= 0 || r.IntN(4) == 0 {
		return r.comparison(1 + r.IntN(2))
	}
	return r.one(depth,
		form{"&&", func(d int) string {
			return fmt.Sprintf("(%s %s %s)", r.condition(d), r.pick("&&", "and"), r.condition(d))
		}},
		form{"||", func(d int) string {
			return fmt.Sprintf("(%s %s %s)", r.condition(d), r.pick("||", "or"), r.condition(d))
		}},
		form{"&& of three", func(d int) string {
			return fmt.Sprintf("%s && (%s) && !(%s)", r.comparison(d), r.condition(d), r.condition(d))
		}},
		form{"!", func(d int) string { return fmt.Sprintf("%s(%s)", r.pick("!", "not ", "!!"), r.condition(d)) }},
		form{"?:", func(d int) string {
			return fmt.Sprintf("(%s ? %s : %s)", r.condition(d), r.condition(d), r.condition(d))
		}},
		form{"if else", func(d int) string {
			return fmt.Sprintf("(if %s { %s } else { %s })", r.comparison(d), r.condition(d), r.condition(d))
		}},
		form{"bool == bool", func(d int) string {
			return fmt.Sprintf("(%s) %s (%s)", r.condition(d), r.pick("==", "!="), r.condition(d))
		}},
		form{"bool in", func(d int) string {
			return fmt.Sprintf("(%s) in [%s, %s]", r.condition(d), r.pick("true", "false"), r.comparison(d))
		}},
	)
}

// comparison makes a part that looks at the event.
func (r *random) comparison(depth int) string {
	return r.one(depth,
		form{"flag", func(int) string {
			return r.pick("allowed", "denied", "dryRun", "actor.impersonating", "actor.controller", "exec.tty", "exec.stdin")
		}},
		form{"constant", func(int) string { return r.pick("true", "false") }},
		form{"text field, constant", func(int) string {
			return r.field() + " " + r.pick("==", "!=", "startsWith", "endsWith", "contains") + " " + r.word()
		}},
		form{"text in constants", func(int) string {
			return fmt.Sprintf("%s %s [%s]", r.field(), r.pick("in", "not in"), r.words(1+r.IntN(12)))
		}},
		form{"text matches", func(int) string {
			return r.field() + " " + r.pick("matches", "not matches") + " " + r.pick(`"^(cre|po|a)"`, `"(?i)^KUBE"`, `"s$"`, `""`, `"^.{3,4}$"`)
		}},
		form{"texts", func(d int) string {
			return fmt.Sprintf("%s %s %s", r.text(d), r.pick("==", "!=", "contains", "startsWith", "<", ">="), r.text(d))
		}},
		form{"numbers", func(d int) string {
			return fmt.Sprintf("%s %s %s", r.number(d), r.pick("==", "!=", "<", "<=", ">", ">="), r.number(d))
		}},
		form{"number in", func(int) string { return fmt.Sprintf("responseStatus.code %s [200, 201, 403]", r.pick("in", "not in")) }},
		form{"text in list", func(d int) string { return fmt.Sprintf("%s %s %s", r.word(), r.pick("in", "not in"), r.list(d)) }},
		form{"over a list", func(d int) string {
			return fmt.Sprintf("%s(%s, %s)", r.pick("any", "all", "none", "one"), r.list(d), r.element(d))
		}},
		form{"over objects", func(int) string {
			return fmt.Sprintf("%s(%s)", r.pick("any", "all", "none", "one"), r.pick(
				"containers, .privileged", `containers, .name contains "a" && !.privileged`, `containers, any(.capabilities, # == "SYS_ADMIN")`,
				`policyRules, "*" in .verbs`, `policyRules, "*" in .verbs || any(.resources, # startsWith "s")`, `subjects, .name == "system:masters"`,
				`podSpec.volumes, .path startsWith "/"`, `items(object.spec.containers), .name == "c" && .ports == nil`, `items(object.items), .kind == "Pod"`))
		}},
		form{"object", func(int) string {
			return r.pick(`object == nil`, `object.kind == "Pod"`, `object.spec.hostPID == true`, `object.metadata.labels.app == "x"`,
				`object.metadata.labels["app.kubernetes.io/name"] != nil`, `object.spec.nothing.at.all == nil`, `object?.metadata?.name == objectRef.name`,
				`(object.kind ?? "none") == "none"`, `"app" in (object.metadata.labels ?? {})`, `object.spec.replicas > 1`)
		}},
		form{"body", func(int) string {
			return r.pick("podSpec.hostPID", "!podSpec.hostNetwork", "len(containers) > 1", `roleRef.name == "cluster-admin"`, `podSpec.serviceAccountName != ""`)
		}},
		form{"maps", func(int) string {
			return r.pick(`"x" in query`, `query["container"][0] == "c"`, `annotations["authorization.k8s.io/decision"] == "allow"`, `"k" in user.extra`,
				`user.extra["k"][0] == "v"`, `len(annotations) > 1`, `annotations["none"] == nil`)
		}},
		form{"functions", func(d int) string {
			return r.pick("hasPrefix", "hasSuffix") + "(" + r.text(d) + ", " + r.word() + ")"
		}},
		form{"addresses", func(int) string {
			return r.pick(`publicIP(sourceIP.client)`, `inCIDR(sourceIP.client, "10.0.0.0/8")`, `any(sourceIPs, publicIP(#))`, `none(sourceIPs, inCIDR(#, "192.0.2.0/24"))`)
		}},
		form{"pipe", func(d int) string {
			return "(" + r.text(d) + " | " + r.pick("lower()", "upper()", "trim()") + ") == " + r.word()
		}},
		form{"chosen list", func(d int) string {
			return fmt.Sprintf("(%s ? %s : %s)[0] == %s", r.comparison(d), r.list(d), r.list(d), r.word())
		}},
	)
}

var (
	fieldNames = []string{"verb", "objectRef.resource", "objectRef.subresource", "objectRef.namespace", "objectRef.name", "userAgent", "user.username",
		"actor.kind", "actor.name", "exec.command", "path", "requestURI", "stage", "object.key", "responseStatus.reason", "cluster"}
	wordList = []string{`"create"`, `"get"`, `"pods"`, `"secrets"`, `""`, `"a"`, `'kubectl'`, `"human"`, `"exec"`, `"\u202e\x00"`, `"\xff"`, "`\\`", `"it\"s"`,
		`"g1"`, `"system:masters"`, `"10.0.0.1"`, `"/"`, `"prod"`}
)

func (r *random) field() string { return r.pick(fieldNames...) }
func (r *random) word() string  { return r.pick(wordList...) }

func (r *random) words(n int) string {
	words := make([]string, n)
	for i := range words {
		words[i] = r.word()
	}
	return strings.Join(words, ", ")
}

// text makes a part that is a text.
func (r *random) text(depth int) string {
	if depth <= 0 {
		return r.pick(r.field(), r.word())
	}
	return r.one(depth,
		form{"lower", func(d int) string { return r.pick("lower", "upper", "trim") + "(" + r.text(d) + ")" }},
		form{"text ?:", func(d int) string { return fmt.Sprintf("(%s ? %s : %s)", r.comparison(d), r.text(d), r.text(d)) }},
		form{"slice", func(d int) string { return r.field() + r.pick("[0:1]", "[1:]", "[:3]", "[:]") }},
		form{"slice of ?:", func(d int) string { return fmt.Sprintf("(%s ? %s : %s)[0:2]", r.comparison(d), r.text(d), r.text(d)) }},
		form{"element", func(d int) string { return r.list(d) + r.pick("[0]", "[-1]", "[1]", "[7]") }},
		form{"of a map", func(d int) string {
			return fmt.Sprintf(`{"a": %s, "b-c": %s}%s`, r.text(d), r.text(d), r.pick(".a", `["b-c"]`))
		}},
		form{"text", func(int) string { return r.field() }},
	)
}

// number makes a part that is a number.
func (r *random) number(depth int) string {
	return r.one(depth,
		form{"code", func(int) string { return "responseStatus.code" }},
		form{"integer", func(int) string { return r.pick("200", "403", "0", "1", "-1", "2", "0x10", "1_000") }},
		form{"float", func(int) string { return r.pick("200.0", "0.5", "2.01e2", "-1.5") }},
		form{"len of text", func(d int) string { return "len(" + r.text(d) + ")" }},
		form{"len of list", func(d int) string { return "len(" + r.list(d) + ")" }},
		form{"count", func(d int) string { return "count(" + r.list(d) + ", " + r.element(d) + ")" }},
	)
}

// list makes a part that is a list of texts.
func (r *random) list(depth int) string {
	if depth <= 0 {
		return r.pick("user.groups", "actor.groups", "sourceIPs")
	}
	return r.one(depth,
		form{"list", func(int) string { return r.pick("user.groups", "impersonatedUser.groups", "sourceIPs") }},
		form{"list of the body", func(int) string { return "images" }},
		form{"written list", func(d int) string { return "[" + r.text(d) + ", " + r.text(d) + "]" }},
		form{"list ?:", func(d int) string { return fmt.Sprintf("(%s ? %s : %s)", r.comparison(d), r.list(d), r.list(d)) }},
	)
}

// element makes what is asked of an element of a list of texts.
func (r *random) element(depth int) string {
	return r.one(depth,
		form{"# constant", func(int) string {
			return "# " + r.pick("==", "!=", "startsWith", "endsWith", "contains") + " " + r.word()
		}},
		form{"# in", func(int) string { return "# " + r.pick("in", "not in") + " [" + r.words(2) + "]" }},
		form{"# matches", func(int) string { return `# matches "^(g|sys|10)"` }},
		form{"# joined", func(d int) string {
			return fmt.Sprintf("(%s) %s %s(%s)", r.element(d), r.pick("&&", "||", "and", "or"), r.pick("", "!", "not "), r.element(d))
		}},
		form{"# and a field", func(int) string { return "# == " + r.field() }},
		form{"# and what else", func(d int) string {
			return "(" + r.pick(`len(#) > 2`, `lower(#) == "g1"`) + " && " + r.comparison(d) + ")"
		}},
	)
}

// compiled makes a condition that is allowed.
func (r *random) compiled(t *testing.T, depth int) *Condition {
	t.Helper()
	for range 50 {
		text := r.condition(depth)
		c, err := compileCondition(text)
		if err == nil {
			return c
		}
		if !refusable(err.Error()) {
			t.Fatalf("%s\n%v", text, err)
		}
		r.made["refused"]++
	}
	t.Fatal("no condition is allowed")
	return nil
}

// refusable reports whether a condition that was made may be refused so.
func refusable(message string) bool {
	for _, known := range []string{"nodes", "bytes", "nested deeper", "integer divide", "index out of range"} {
		if strings.Contains(message, known) {
			return true
		}
	}
	return false
}

// oddEvents are events as nobody should send them.
func oddEvents(t testing.TB) []*audit.Event {
	t.Helper()
	var events []*audit.Event
	add := func(change func(*audit.Event)) {
		e := podEvent()
		change(e)
		events = append(events, e)
	}
	add(func(e *audit.Event) {})
	add(func(e *audit.Event) { *e = audit.Event{} })
	add(func(e *audit.Event) { e.RequestObject = nil })
	add(func(e *audit.Event) { e.Level = "Metadata"; e.RequestObject = nil })
	for _, body := range []string{`null`, `[]`, `"x"`, `{"kind":"Pod","spec":[]}`, `{"kind":"Pod","metadata":{"labels":["app"]},"spec":{"containers":{"name":"c"}}}`,
		`{"kind":"Pod","spec":{"containers":[null,{"name":7},"x"],"hostPID":"yes"}}`, `{"kind":"Pod"`} {
		add(func(e *audit.Event) { e.RequestObject = []byte(body) })
	}
	add(func(e *audit.Event) {
		e.Verb, e.ObjectRef.Subresource, e.RequestURI = "get", "exec", "/api/v1/namespaces/a/pods/n/exec?command=sh&command=%2Fx&container=c&stdin=true&tty=1&%zz"
	})
	add(func(e *audit.Event) { e.User.Groups, e.SourceIPs = nil, nil })
	add(func(e *audit.Event) { e.User.Username, e.UserAgent = "\u202e\x00", "\xff" })
	add(func(e *audit.Event) {
		e.ObjectRef = audit.ObjectRef{Resource: "clusterroles", APIGroup: "rbac.authorization.k8s.io"}
		e.RequestObject = []byte(`{"kind":"ClusterRole","rules":[{"verbs":["*"],"resources":["secrets"]},{"verbs":null}]}`)
	})
	return events
}

// The parts of a condition mean what it means as a whole.
func TestPartsMeanTheWholeOnRandomConditions(t *testing.T) {
	r := newRandom(5, 6)
	events := append(recordedEvents(t), oddEvents(t)...)
	odd := len(oddEvents(t))
	m := NewMachine()
	truths := map[Truth]int{}
	parts, closed := 0, 0
	for range 3_000 {
		c := r.compiled(t, 4)
		if parts += c.parts; c.parts == 0 {
			closed++
		}
		for i := range 20 {
			e := events[r.IntN(len(events))]
			if i%2 == 0 {
				e = events[len(events)-1-r.IntN(odd)]
			}
			m.Load(scopeOf(e))
			truths[compare(t, m, c)]++
		}
	}
	t.Logf("truths %v; %d parts for the virtual machine, %d conditions without; forms %v", truths, parts, closed, r.made)
	if min(truths[True], truths[False], truths[Unknown]) < 5_000 {
		t.Errorf("the conditions do not show all truths: %v", truths)
	}
	if closed < 200 {
		t.Errorf("%d conditions are all closures: too few", closed)
	}
}

// What is known of an event stays so when more of it is known: without its body,
// and with parts left out of it, a condition says what it says of the whole event
// or that it cannot tell.
func TestMoreKnownChangesNoAnswer(t *testing.T) {
	r := newRandom(9, 10)
	var whole, less []*audit.Event
	for _, e := range append(recordedEvents(t), oddEvents(t)...) {
		if len(e.RequestObject)+len(e.ResponseObject) == 0 {
			continue
		}
		without := *e
		without.Level, without.RequestObject, without.ResponseObject = audit.LevelMetadata, nil, nil
		whole, less = append(whole, e), append(less, &without)
	}
	for _, change := range []func(*audit.Event){
		func(e *audit.Event) { e.UserAgent = strings.Repeat("kubectl", 10_000) },
		func(e *audit.Event) { e.User.Username = strings.Repeat("system:masters", 10_000) },
		func(e *audit.Event) { e.ObjectRef.Resource = strings.Repeat("pods", 20_000) },
		func(e *audit.Event) { e.RequestURI += strings.Repeat("&x=%2Fy", 10_000) },
		func(e *audit.Event) { e.User.Groups = strings.Split(strings.Repeat("g1,g2,", 10_000), ",") },
		func(e *audit.Event) {
			e.RequestObject = []byte(`{"kind":"Pod","spec":{"hostPID":true,"nodeName":"` + strings.Repeat("n", 70_000) + `"}}`)
		},
	} {
		e := podEvent()
		change(e)
		whole, less = append(whole, e), append(less, reducedTo(t, e))
	}
	m := NewMachine()
	same, unknown := 0, 0
	for range 2_000 {
		c := r.compiled(t, 4)
		for range 20 {
			i := r.IntN(len(whole))
			if r.IntN(16) == 0 { // they are long
				i = len(whole) - 1 - r.IntN(6)
			}
			m.Load(scopeOf(less[i]))
			before, _ := m.Eval(c)
			if before == Unknown {
				unknown++
				continue
			}
			m.Load(scopeOf(whole[i]))
			if after, err := m.Eval(c); after != before {
				t.Fatalf("%s is %v without what %v lacks, and %v, %v with it", c, before, less[i].Reduced(), after, err)
			}
			same++
		}
	}
	t.Logf("%d answers stay, %d were unknown", same, unknown)
	if min(same, unknown) < 5_000 {
		t.Errorf("%d answers stay, %d were unknown: too few", same, unknown)
	}
}
