package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// hostileTexts are what an attacker writes to whoever reads.
var hostileTexts = []string{
	"\x1b[2J\x1b]52;c;ZXZpbA==\x07", // clears the screen, fills the clipboard
	"\u009b2J\u0085",
	"a\r\nklaxon: all is well",
	"\u202egpj.exe",
	"\u2066a\u2069\u200b\u200d\ufeff\u00ad",
	"a\x00b\x7f\x08",
	"=cmd|' /C calc'!A0",
	"<!channel> <https://x|y> {{ . }} \"><script>",
	"\u3164\u2800\U000e0041",
}

// invalid stands in an item for bytes that are no UTF-8.
const invalid = "bytes \xff\xfe\xc3\x28"

// hostileItem is the audit event of a command in a pod, which is found, with
// every text that a client chooses.
func hostileItem(t *testing.T, s string, at time.Time) string {
	t.Helper()
	stamp := at.UTC().Format("2006-01-02T15:04:05.000000Z")
	text, err := json.Marshal(map[string]any{
		"kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Request", "auditID": s, "stage": "ResponseStarted", "verb": "get",
		"requestURI": "/api/v1/namespaces/shop/pods/web/exec?command=" + s,
		"user":       map[string]any{"username": "u" + s, "uid": s, "groups": []string{s}, "extra": map[string]any{s: []string{s}}},
		"sourceIPs":  []string{s, "10.0.0.1"}, "userAgent": s,
		"objectRef":      map[string]any{"resource": "pods", "namespace": "n" + s, "name": "p" + s, "apiVersion": "v1", "subresource": "exec", "uid": s},
		"responseStatus": map[string]any{"metadata": map[string]any{}, "code": 101, "reason": s, "message": s},
		"annotations":    map[string]any{"authorization.k8s.io/decision": "allow", s: s},
		"requestObject":  map[string]any{s: s}, "requestReceivedTimestamp": stamp, "stageTimestamp": stamp,
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// hostileItems are events with each text, with bytes that are no UTF-8 and with
// a text of a megabyte.
func hostileItems(t *testing.T) (items []string) {
	at := time.Now().Add(-time.Minute)
	for _, s := range append(hostileTexts, "INVALID", "\x1b[2J"+strings.Repeat("long\u202e", 1<<17)) {
		item := hostileItem(t, s, at)
		if len(s) > 1<<16 { // in one field: an event has its limit
			item = strings.Replace(hostileItem(t, "LONG", at), `"userAgent":"LONG"`, `"userAgent":`+quoted(t, s), 1)
		}
		items = append(items, strings.ReplaceAll(item, "INVALID", invalid))
	}
	return items
}

func quoted(t *testing.T, s string) string {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// checkHarmless fails where text would do something, or hide it, in the terminal
// that shows it.
func checkHarmless(t *testing.T, what string, text []byte) {
	t.Helper()
	if !utf8.Valid(text) {
		t.Errorf("%s: invalid UTF-8", what)
	}
	for at, r := range string(text) {
		if r != '\n' && (unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp, unicode.Bidi_Control) || r == '\u3164' || r == '\u2800') {
			t.Errorf("%s: %U in %q", what, r, text[max(0, at-100):min(len(text), at+100)])
			return
		}
	}
}

// both runs a command and returns what it wrote to both streams.
func (i *installation) both(args ...string) []byte {
	i.t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Env, cmd.Dir = i.env(), i.dir
	out, _ := cmd.CombinedOutput() // errors are among what is looked at
	return out
}

// checkCommands runs each command in every format that it has. Its output must be
// harmless, and show the hostile texts: want is how it spells one.
func (i *installation) checkCommands(formats []string, want string, commands ...[]string) {
	i.t.Helper()
	for _, args := range commands {
		for _, format := range formats {
			line := args
			if format != "" {
				line = append(append([]string{}, args...), "-o", format)
			}
			out := i.both(line...)
			what := fmt.Sprintf("klaxon %.200q", line)
			checkHarmless(i.t, what, out)
			if !bytes.Contains(out, []byte(want)) {
				i.t.Errorf("%s: does not show %s: %.600q", what, want, out)
			}
		}
	}
}

var allFormats = []string{"table", "json", "ndjson"}

// TestHostileText sends what attackers write through a real serve and all
// commands. It must come out readable and do nothing.
func TestHostileText(t *testing.T) {
	i := install(t)
	items := hostileItems(t)
	broken := `{"kind":"Event","auditID":"\u202e` + hostileTexts[0] + "\r\u202e" + invalid + `"`
	if code := i.post(eventList(append(items, broken+"]")...)); code != http.StatusOK {
		t.Fatalf("answered %d", code)
	}
	i.knock()
	i.wantLetters(1)
	for _, what := range []string{"events", "findings"} {
		i.until(what+" are there", func() error {
			out, err := i.try(what, "--all", "-o", "ndjson")
			if n := bytes.Count(out, []byte("\n")); err == nil && n != len(items) {
				err = fmt.Errorf("%d, want %d", n, len(items))
			}
			return err
		})
	}
	i.checkStored()
	i.checkFiles(items, broken)
	i.checkRules()
	i.checkSigma()
	i.checkWords()
	checkHarmless(t, "serve's log", []byte(i.log.String()))
	checkHarmless(t, "serve's output", []byte(i.stdout.String()))
	checkHarmless(t, "serve's metrics", i.metrics())
	for _, want := range []string{"TLS handshake error", "refused a webhook request", "evidence was read", `user=%E2%80%AE`} {
		if !strings.Contains(i.log.String(), want) {
			t.Errorf("serve's log does not say %q", want)
		}
	}
}

// checkStored looks at what commands and the API answer of what was received.
func (i *installation) checkStored() {
	i.t.Helper()
	id := func(args ...string) string {
		var one struct {
			ID      string `json:"id"`
			EventID string `json:"event_id"`
		}
		if err := json.Unmarshal(i.klaxon(append(args, "--limit", "1", "-o", "ndjson")...), &one); err != nil {
			i.t.Fatal(err)
		}
		return one.ID + one.EventID
	}
	finding, letter := id("findings", "--user", "u"+hostileTexts[3]), id("deadletter", "list")
	i.checkCommands(allFormats, `\u202e`,
		[]string{"events", "--all"}, []string{"events", "--user", "u" + hostileTexts[3]}, []string{"events", "--id", id("events", "--user", "u"+hostileTexts[3])},
		[]string{"findings", "--all"}, []string{"findings"}, []string{"findings", finding})
	i.checkCommands([]string{"table"}, `\u202e`, []string{"deadletter", "show", letter})
	i.checkCommands([]string{"json", "ndjson"}, `"text":"eyJraW5k`, []string{"deadletter", "show", letter})
	i.checkCommands(allFormats, letter, []string{"deadletter", "list"})
	i.checkCommands([]string{"table"}, `\x1b[2J`, []string{"findings"}, []string{"events", "--all"})
	i.checkCommands([]string{"json"}, `\u001b[2J`, []string{"findings"}, []string{"events", "--all"})
	for _, path := range []string{"/events", "/findings", "/findings/" + finding, "/deadletters", "/deadletters/" + letter, "/events?code=%1b%e2%80%ae", "/%1b%e2%80%ae", "/events?%1b=1"} {
		checkHarmless(i.t, "GET "+path, i.ask(path))
	}
}

// ask returns what the API answers.
func (i *installation) ask(path string) []byte {
	i.t.Helper()
	token, err := os.ReadFile(filepath.Join(i.dir, "data", "admin.token"))
	if err != nil {
		i.t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodGet, i.said("api")+path, nil)
	if err != nil {
		i.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	resp, err := i.client().Do(req)
	if err != nil {
		i.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || len(body) == 0 {
		i.t.Errorf("GET %s: %d bytes, %v", path, len(body), err)
	}
	return body
}

// checkFiles scans, replays and follows files whose names and lines are hostile.
func (i *installation) checkFiles(items []string, broken string) {
	i.t.Helper()
	dir := filepath.Join(i.dir, "logs\x1b[2J\u202e")
	write := func(name string, lines ...string) string {
		i.t.Helper()
		if err := os.MkdirAll(dir, 0o700); err != nil {
			i.t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			i.t.Fatal(err)
		}
		return path
	}
	file := write("audit\u202e\x1b]0;x\a.log", append(items, broken)...)
	list := write("list\u2066.log", string(eventList(append(items, broken)...)))
	write("no\x1blog.txt", "x")
	i.checkCommands(allFormats, `\u202e`, []string{"scan", file}, []string{"scan", list}, []string{"scan", dir}, []string{"scan", dir + "/gone\x1b"})
	packed := write("broken\x1b.log.gz", "\x1f\x8b\x08\x00\x1b[2J")
	i.checkCommands([]string{""}, `\x1b`, []string{"scan", packed}, []string{"replay", packed}, []string{"replay", file}, []string{"replay", dir + "/gone\u202e"},
		[]string{"scan", "--redaction-key-file", file, file}, []string{"scan", "--rules", file, file}, []string{"scan", "--config", file, file})
	i.checkTail(dir, file, packed)
	i.checkKubeconfigs(dir, file)
}

// checkTail follows a hostile file to its end, and then what is left of it when
// it was cut or removed; and what cannot be followed.
func (i *installation) checkTail(dir, file, packed string) {
	i.t.Helper()
	state := func(name string) []string {
		return []string{"tail", "--once", "--state", filepath.Join(dir, name+"\u202e.json")}
	}
	i.checkCommands([]string{"text"}, `\u202e`, append(state("a"), file))
	i.checkCommands([]string{"json"}, `\u202e`, append(state("b"), file))
	if err := os.WriteFile(file, []byte("no event\x1b[2J\u202e\n"+strings.Repeat("x\u202e", 1000)+"\n"), 0o600); err != nil {
		i.t.Fatal(err)
	}
	i.checkCommands([]string{""}, `events may be missing`, append(state("a"), file))
	i.checkCommands([]string{""}, `u202e`, append(state("c"), packed), append(state("d"), dir+"/gone\u202e"), append(state("e"), dir),
		append(state("c"), file), []string{"tail", "--state", dir, file}, []string{"tail", "--once", "--max-retry-time", "1ms", "--to", "https://\u202e/webhook/x", file})
}

// checkKubeconfigs gives hostile kubeconfigs to all that reads one.
func (i *installation) checkKubeconfigs(dir, log string) {
	i.t.Helper()
	const good = `{kind: Config, current-context: a, contexts: [{name: a, context: {cluster: b, user: c}}],
clusters: [{name: b, cluster: {server: "SERVER", certificate-authority: "CA"}}], users: [{name: c, user: {tokenFile: "TOKEN"}}]}`
	client := filepath.Join(i.dir, "data", "tls", "ca.crt")
	for name, values := range map[string][3]string{
		"token":       {i.webhook(), client, `\e[2J\u202e`},
		"ca":          {i.webhook(), `\e[2J\u202e`, i.sender.TokenFile},
		"server":      {`https://\e[2J\u202e`, client, i.sender.TokenFile},
		"host":        {`https://127.0.0.1:1/\u202e`, client, i.sender.TokenFile},
		"path":        {i.webhook() + `/\u202e`, client, i.sender.TokenFile},
		"words\u202e": {`\u202e`, `\u202e`, `\u202e`},
	} {
		path := filepath.Join(dir, name+"\x1b[2J\u202e.yaml")
		text := strings.NewReplacer("SERVER", values[0], "CA", values[1], "TOKEN", values[2]).Replace(good)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			i.t.Fatal(err)
		}
		checkHarmless(i.t, "tail by "+name, i.both("tail", "--once", "--max-retry-time", "1ms", "--state", filepath.Join(dir, name+".json"), "--kubeconfig", path, log))
		if name != "host" { // replay would wait for it
			checkHarmless(i.t, "replay by "+name, i.both("replay", "--kubeconfig", path, log))
		}
	}
	for _, command := range []string{"tail", "replay"} {
		i.checkCommands([]string{""}, `u202e`, []string{command, "--kubeconfig", log, log}, []string{command, "--kubeconfig", dir + "/gone\u202e", log},
			[]string{command, "--kubeconfig", dir, log})
	}
}

// hostileRules are rules, and what only looks like some.
var hostileRules = map[string]string{
	"good": "id: hostile-rule\ntitle: \"\\e[2J\\u202etitle {actor.name}\"\ndescription: \"\\e]52;c;x\\a\\u2066\"\nseverity: low\n" +
		"when: verb == \"get\" && userAgent != \"\u202e\"\ntags: [\"attack.t1609\"]\n# \u202ea comment\u2066\u200b\n" +
		"tests:\n  - {name: \"\\e[2J\\u202ename\", events: [{verb: get, userAgent: \"\\e\"}], findings: 7}\n  - {name: none, events: [{verb: list}], findings: 0}\n",
	"expression": "id: bad-expression\ntitle: x\nseverity: low\nwhen: verb == \"\u202e\" && \u202ebidi == 1\n",
	"key":        "id: bad-key\n\"\\e[2J\\u202ekey\": 1\ntitle: x\nseverity: \"\\e[2J\\u202e\"\nwhen: verb == \"get\"\n",
	"id":         "id: \"\\e[2J\\u202e\"\ntitle: x\nseverity: low\nwhen: verb == \"get\"\n",
	"yaml":       "id: [\u202e\n\x1b[2J\xff\n",
}

// checkRules reads hostile rules by every command that reads rules.
func (i *installation) checkRules() {
	i.t.Helper()
	for name, text := range hostileRules {
		file := filepath.Join(i.dir, name+"\x1b[2J\u202e.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			i.t.Fatal(err)
		}
		rules := []string{"--no-builtin", "--rules", file}
		with := func(args ...string) []string { return append(args, rules...) }
		i.checkCommands(allFormats, "u202e", with("rules", "list"), with("rules", "test"))
		i.checkCommands([]string{""}, `\u202e`, with("rules", "show", "hostile-rule"), with("rules", "show", "none\u202e"))
		for _, format := range allFormats {
			checkHarmless(i.t, "lint of "+name, i.both(with("rules", "lint", "-o", format)...))
		}
		checkHarmless(i.t, "scan with "+name, i.both(with("scan", "-")...))
		checkHarmless(i.t, "completion", i.both(with("__complete", "rules", "show", "")...))
	}
}

// hostileSigma is a Sigma rule that says nothing harmless in any of its parts.
const hostileSigma = "title: \"\\e[2J\\u202etitle\"\nid: 7e9ad7ce-1f6a-4e2d-9b6c-0d6d1e1f0a11\ndescription: \"\\e]52;c;x\\a\\u2066\"\nstatus: stable\nauthor: \"\\u202e\"\n" +
	"logsource: {product: kubernetes, service: audit}\nlevel: high\nfalsepositives: [\"\\u202e\"]\nreferences: [\"https://\\u202e\"]\n" +
	"detection: {selection: {verb: create, userAgent: \"\\e\\u202e\"}, condition: selection}\n"

// checkSigma converts hostile Sigma rules.
func (i *installation) checkSigma() {
	i.t.Helper()
	for name, text := range map[string]string{
		"good": hostileSigma, "field": strings.Replace(hostileSigma, "userAgent", `"\e\u202e"`, 1), "condition": strings.Replace(hostileSigma, "condition: selection", `condition: "\e\u202e"`, 1),
		"level": strings.Replace(hostileSigma, "level: high", `level: "\e\u202e"`, 1), "yaml": "title: [\u202e\n\x1b[2J\xff\n",
	} {
		file := filepath.Join(i.dir, "sigma-"+name+"\x1b[2J\u202e.yml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			i.t.Fatal(err)
		}
		for _, format := range []string{"text", "json"} {
			out := i.both("rules", "import", "sigma", "-o", format, file)
			checkHarmless(i.t, "import of "+name+" as "+format, out)
			if !bytes.Contains(out, []byte("u202e")) && !bytes.Contains(out, []byte("u202E")) {
				i.t.Errorf("import of %s as %s does not show it: %.600q", name, format, out)
			}
		}
	}
}

// checkWords gives hostile words on the command line and in a configuration.
func (i *installation) checkWords() {
	i.t.Helper()
	const word = "\x1b[2J\u202e"
	file := filepath.Join(i.dir, "config"+word+".yaml")
	if err := os.WriteFile(file, []byte("ingest: {"+word+"\nx: ["), 0o600); err != nil {
		i.t.Fatal(err)
	}
	keys := filepath.Join(i.dir, "keys.yaml")
	if err := os.WriteFile(keys, []byte("\"\\e[2J\\u202e\": 1\nlog: {level: \"\\e\\u202e\"}\n"), 0o600); err != nil {
		i.t.Fatal(err)
	}
	i.checkCommands([]string{""}, `u202e`,
		[]string{word}, []string{"events", "--" + word}, []string{"events", "--since", word}, []string{"events", "--code", word},
		[]string{"events", "-o", word}, []string{"events", "--limit", word}, []string{"findings", word}, []string{"findings", "--severity", word},
		[]string{"events", "--server", word, "--token-file", word}, []string{"events", "--server", "https://" + word, "--token-file", word},
		[]string{"events", "--token-file", word}, []string{"events", "--data-dir", word}, []string{"events", "--ca-file", word}, []string{"events", "--source-ip", word},
		[]string{"deadletter", word}, []string{"deadletter", "show", word}, []string{"deadletter", "list", "--since", word},
		[]string{"sender", word}, []string{"sender", "add", word}, []string{"sender", "remove", word}, []string{"sender", "list", word},
		[]string{"rules", "show", word}, []string{"rules", "test", word}, []string{"rules", "list", "--rules", word},
		[]string{"scan", word}, []string{"scan", "--since", word, "x"}, []string{"scan", "--fail-on", word, "-"}, []string{"replay", "--to", word, keys}, []string{"replay", word},
		[]string{"tail", word, "--once"}, []string{"tail", "--from", word, keys}, []string{"tail", "-o", word, keys}, []string{"tail", "--metrics", word, "--once", keys},
		[]string{"tail", "--kubeconfig", word, keys}, []string{"replay", "--kubeconfig", word, keys}, []string{"scan", "--config", word, keys},
		[]string{"serve", "--config", word}, []string{"serve", "--config", file}, []string{"serve", "--config", keys},
		[]string{"engine", word}, []string{"engine", "run", "--path", word, "--listen", word}, []string{"engine", "run", "--memory", word},
	)
	for _, args := range [][]string{{"sender", "list"}, {"sender", "list", "-o", "json"}, {"--help"}, {"deadletter", "list", "--reason", word}, {"events", "--user", word + "x"}, {"events", word}} {
		checkHarmless(i.t, strings.Join(args, " "), i.both(args...))
	}
}

// knock sends what no server asked for to every door.
func (i *installation) knock() {
	i.t.Helper()
	for _, door := range []string{i.webhook(), i.said("api"), i.said("metrics")} {
		at, err := url.Parse(door)
		if err != nil {
			i.t.Fatal(err)
		}
		for _, text := range append(hostileTexts, invalid, "GET /\x1b[2J\u202e HTTP/1.1\r\n\r\n") {
			conn, err := net.Dial("tcp", at.Host)
			if err != nil {
				i.t.Fatal(err)
			}
			_, _ = conn.Write([]byte(text + "\r\n\r\n"))
			_ = conn.Close()
		}
	}
	for _, path := range []string{"/webhook/%1b%5b2J%e2%80%ae", "/webhook/prod-1?%1b=%e2%80%ae", "/%e2%80%ae"} {
		req, err := http.NewRequest(http.MethodPost, "https://"+hostOf(i.t, i.webhook())+path, strings.NewReader("\x1b"))
		if err != nil {
			i.t.Fatal(err)
		}
		req.Header.Set("User-Agent", "\u202e")
		req.Header.Set("Authorization", "Bearer \u202e")
		resp, err := i.client().Do(req)
		if err != nil {
			i.t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		checkHarmless(i.t, "POST "+path, text)
	}
	i.ask("/events?user=%e2%80%ae%1b")
}

func hostOf(t *testing.T, address string) string {
	t.Helper()
	at, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return at.Host
}

// TestHostileTextInJSONLogs does the same to a log in JSON.
func TestHostileTextInJSONLogs(t *testing.T) {
	i := installWith(t, strings.Replace(config, "{level: debug}", "{level: debug, format: json}", 1))
	if code := i.post(eventList(hostileItems(t)...)); code != http.StatusOK {
		t.Fatalf("answered %d", code)
	}
	i.knock()
	i.until("the log says who knocked", func() error {
		if !strings.Contains(i.log.String(), "TLS handshake error") {
			return fmt.Errorf("%s", lastLines(i.log.String(), 5))
		}
		return nil
	})
	checkHarmless(t, "serve's log", []byte(i.log.String()))
}
