// Package arch holds the direction of imports.
package arch

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/klaxon-dev/klaxon/"

// layers lists for each package (or tree, with a trailing /) what it may import
// of the project. Those that are not listed may import anything.
var layers = map[string][]string{
	"audit":                 {},
	"stream":                {},
	"rules":                 {"audit", "rules/internal/yamlnode"},
	"rules/sigma":           {"audit", "rules", "rules/internal/yamlnode"},
	"detect":                {"audit", "rules", "rules/internal/yamlnode"},
	"detect/ruletest":       {"audit", "rules", "rules/internal/yamlnode", "detect"},
	"internal/query":        {"audit", "rules", "rules/internal/yamlnode", "detect"},
	"internal/topic":        {"audit", "rules", "rules/internal/yamlnode", "detect", "stream"},
	"internal/datadir":      {},
	"internal/secretfile":   {},
	"internal/seldom":       {},
	"internal/recorded":     {"audit"},
	"internal/output":       {"audit", "rules", "rules/internal/yamlnode", "detect", "internal/query"},
	"internal/scan":         {"audit", "rules", "rules/internal/yamlnode", "detect"},
	"internal/stage":        {"audit", "rules", "rules/internal/yamlnode", "detect", "stream", "internal/topic", "internal/seldom"},
	"stream/internal/meter": {},
	"stream/kafka":          {"stream", "stream/internal/meter", "internal/secretfile"},
	"stream/local":          {"stream", "stream/internal/meter"},
	"stream/spool":          {"stream", "stream/internal/meter", "stream/local", "internal/seldom"},
	"stream/streamtest":     {"stream"},

	"stream/kafka/kafkatest": {},

	"ingest":       {"audit", "detect", "rules", "rules/internal/yamlnode", "stream", "internal/topic", "internal/secretfile", "internal/seldom", "internal/datadir"},
	"ingest/tail":  {"ingest", "audit", "detect", "rules", "rules/internal/yamlnode", "stream", "internal/topic", "internal/secretfile", "internal/seldom", "internal/datadir"},
	"store":        {"audit", "detect", "rules", "rules/internal/yamlnode", "stream", "internal/topic", "internal/query", "internal/secretfile", "internal/seldom"},
	"store/engine": {"store/engine/internal/chdb", "store/engine/internal/front", "internal/secretfile"},
	"web/api":      {"audit", "detect", "rules", "rules/internal/yamlnode", "internal/query", "internal/output", "internal/secretfile", "internal/seldom"},
}

func TestImportsPointDownwards(t *testing.T) {
	for pkg, allowed := range layers {
		out, err := exec.Command("go", "list", "-deps", module+pkg).CombinedOutput()
		if err != nil {
			t.Fatalf("go list %s: %v\n%s", pkg, err, out)
		}
		for _, dep := range strings.Fields(string(out)) {
			name, ours := strings.CutPrefix(dep, module)
			if !ours || name == pkg || contains(allowed, name) {
				continue
			}
			t.Errorf("%s imports %s", pkg, name)
		}
	}
}

func contains(allowed []string, name string) bool {
	for _, a := range allowed {
		if a == name {
			return true
		}
	}
	return false
}
