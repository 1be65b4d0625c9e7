package scaling

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the tables into docs/scaling.md")

const page = "../../docs/scaling.md"

// TestPage holds the tables of docs/scaling.md to the costs of costs.json.
func TestPage(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	costs := readCosts(t)
	want := string(text)
	for name, table := range map[string]string{"costs": costTable(costs), "sizes": sizeTable(costs), "deaths": deathTable(costs), "shards": shardTable(costs)} {
		want = between(t, want, name, table)
	}
	if want == string(text) {
		return
	}
	if !*update {
		t.Fatal("the tables are others: go test ./scaling -update")
	}
	if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readCosts(t *testing.T) Costs {
	t.Helper()
	text, err := os.ReadFile("costs.json")
	if err != nil {
		t.Fatal(err)
	}
	var c Costs
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// between replaces what is between the marks of a table.
func between(t *testing.T, text, name, table string) string {
	t.Helper()
	begin, end := "<!-- "+name+" -->\n", "<!-- end of "+name+" -->"
	before, rest, ok := strings.Cut(text, begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table %s", page, name)
	}
	return before + begin + table + end + after
}

func costTable(c Costs) string {
	var b strings.Builder
	b.WriteString("| part | processor time of an event |\n|---|---:|\n")
	for _, row := range []struct {
		name string
		cost float64
	}{
		{"ingest: TLS, authentication, cut, scan, redact, identify, compress, send", c.Ingest},
		{"match: fetch, scan, the builtin rules, send the matches", c.Match},
		{fmt.Sprintf("window: %.0f µs a match, %.2f matches an event", c.Window, c.Matches), c.Window * c.Matches},
		{"store: fetch, rows, insert", c.Store},
		{"all of klaxon", c.Ingest + c.Match + c.Window*c.Matches + c.Store},
		{"Kafka, three replicas", c.Broker},
		{"ClickHouse, inserts and merges", c.Engine},
	} {
		fmt.Fprintf(&b, "| %s | %.1f µs |\n", row.name, row.cost)
	}
	return b.String()
}

func sizeTable(c Costs) string {
	columns := []Size{Plan(1, 500, c), Plan(10, 5_000, c), Plan(100, 50_000, c), Plan(2000, 1_000_000, c)}
	var b strings.Builder
	row := func(name string, cell func(Size) string) {
		b.WriteString("| " + name)
		for _, s := range columns {
			b.WriteString(" | " + cell(s))
		}
		b.WriteString(" |\n")
	}
	b.WriteString("| clusters")
	for _, s := range columns {
		fmt.Fprintf(&b, " | %d", s.Clusters)
	}
	b.WriteString(" |\n|---|" + strings.Repeat("---:|", len(columns)) + "\n")
	row("events a second, peak", func(s Size) string { return fmt.Sprintf("%.0f", s.Rate) })
	row("from the API servers", func(s Size) string { return bytes(s.Wire) + "/s" })
	row("partitions of events", func(s Size) string { return fmt.Sprint(s.Partitions) })
	for _, role := range []struct {
		name string
		of   func(Size) Need
	}{
		{"ingest", func(s Size) Need { return s.Ingest }}, {"match", func(s Size) Need { return s.Match }},
		{"window", func(s Size) Need { return s.Window }}, {"store", func(s Size) Need { return s.Store }},
	} {
		row(role.name+": processors, processes", func(s Size) string {
			n := role.of(s)
			return fmt.Sprintf("%.1f, %d", n.Processors, n.Processes)
		})
	}
	row("Kafka brokers", func(s Size) string { return fmt.Sprint(s.Brokers) })
	row("Kafka's disks, 7 days, 3 replicas", func(s Size) string { return bytes(s.LogBytes) })
	row("ClickHouse shards", func(s Size) string { return fmt.Sprint(s.Shards) })
	row("ClickHouse's disks, a year, 1 replica", func(s Size) string { return bytes(s.StoreBytes) })
	return b.String()
}

func deathTable(c Costs) string {
	var b strings.Builder
	b.WriteString("| one of | load before | falls behind by | has caught up after |\n|---|---:|---:|---:|\n")
	for _, processes := range []int{2, 3, 6, 12} {
		for _, load := range []float64{0.4, 0.6} {
			capacity := processors / c.Match * 1e6
			d := Death{
				Rate: load * capacity * float64(processes), Capacity: capacity, Processes: processes, Partitions: partitions(processes),
				Session: 10 * time.Second, Replay: time.Second,
			}
			o := d.Simulate(1)
			caught := o.CatchUp.Round(time.Second).String()
			if o.Diverges {
				caught = "never"
			}
			fmt.Fprintf(&b, "| %d | %.0f %% | %v | %s |\n", processes, 100*load, o.Behind.Round(time.Second), caught)
		}
	}
	return b.String()
}

func shardTable(c Costs) string {
	var b strings.Builder
	b.WriteString("| keys | the hottest of 64 shards gets | matches a second that one processor of it takes | events a second |\n|---:|---:|---:|---:|\n")
	for _, keys := range []int{100, 10_000, 1_000_000} {
		hottest := Hottest(keys, 64, 1)
		matches := 1e6 / c.Window / hottest
		fmt.Fprintf(&b, "| %d | %.0f %% | %.0f thousand in all shards | %.1f million |\n", keys, 100*hottest, matches/1e3, matches/c.Matches/1e6)
	}
	return b.String()
}

func bytes(n float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e15, "PB"}, {1e12, "TB"}, {1e9, "GB"}, {1e6, "MB"}} {
		if n >= unit.size {
			return fmt.Sprintf("%.3g %s", n/unit.size, unit.name)
		}
	}
	return fmt.Sprintf("%.3g kB", n/1e3)
}

func TestSimulate(t *testing.T) {
	d := Death{Rate: 1000, Capacity: 1000, Processes: 4, Partitions: 12, Session: 10 * time.Second, Replay: time.Second}
	o := d.Simulate(1)
	if o.Diverges || o.Behind < 10*time.Second || o.Behind > 14*time.Second || o.CatchUp < 11*time.Second || o.CatchUp > 30*time.Second {
		t.Errorf("a quarter of the load is left over, and %+v", o)
	}
	d.Rate = 3100 // more than three can do
	if o := d.Simulate(1); !o.Diverges {
		t.Errorf("three do the work of more than three: %+v", o)
	}
}

func TestPlan(t *testing.T) {
	c := Costs{Ingest: 10, Match: 10, Window: 10, Store: 10, Broker: 10, Engine: 10, Wire: 1000, Log: 100, Row: 50, Matches: 0.1}
	small, large := Plan(1, 500, c), Plan(1000, 1_000_000, c)
	if small.Partitions != 12 || small.Brokers != 3 || small.Shards != 1 || small.Match.Processes != 2 {
		t.Errorf("a small installation: %+v", small)
	}
	// 10 processor seconds a second, at 60 %, by four.
	if large.Match.Processes != 5 || large.Partitions != 24 || large.Shards != 10 {
		t.Errorf("a large installation: %+v", large)
	}
}
