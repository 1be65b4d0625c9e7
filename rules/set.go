package rules

import (
	"cmp"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed packs/*.yaml
var packs embed.FS

// Set is a set of rules with distinct ids, in order of id.
type Set struct {
	Rules []*Rule
}

// Rule returns the rule with an id, nil if there is none.
func (s *Set) Rule(id RuleID) *Rule {
	i, found := slices.BinarySearchFunc(s.Rules, id, func(r *Rule, id RuleID) int { return cmp.Compare(r.ID, id) })
	if !found {
		return nil
	}
	return s.Rules[i]
}

// Sources says where the rules of a set come from.
type Sources struct {
	NoBuiltin bool     // leave the builtin packs out
	Paths     []string // files, and directories of *.yaml and *.yml files
}

// Load reads rules. A file with mistakes never stops the others: the set holds
// every rule that is right, the problems say what is wrong with the rest.
func Load(sources Sources) (*Set, Problems) {
	var all []*Rule
	var problems Problems
	add := func(name string, src []byte, origin string) {
		found, ps := Parse(name, src, origin)
		all = append(all, found...)
		problems = append(problems, ps...)
	}
	if !sources.NoBuiltin {
		for name, src := range builtin() {
			add(name, src, OriginBuiltin)
		}
	}
	for _, path := range sources.Paths {
		files, err := ruleFiles(path)
		if err != nil {
			problems = append(problems, fileProblem(path, err))
		}
		for _, file := range files {
			src, err := readFile(file)
			if err != nil {
				problems = append(problems, fileProblem(file, err))
				continue
			}
			add(file, src, OriginUser)
		}
	}
	set, ps := NewSet(all)
	problems = append(problems, ps...)
	problems = append(problems, Lint(set)...)
	problems.sort()
	return set, problems
}

func builtin() func(yield func(string, []byte) bool) {
	return func(yield func(string, []byte) bool) {
		entries, err := packs.ReadDir("packs")
		if err != nil {
			panic(err) // the packs are part of the program
		}
		for _, e := range entries {
			src, err := packs.ReadFile("packs/" + e.Name())
			if err != nil {
				panic(err)
			}
			if !yield("builtin/"+e.Name(), src) {
				return
			}
		}
	}
}

func fileProblem(path string, err error) Problem {
	return Problem{File: path, Line: 1, Column: 1, Message: err.Error()}
}

func ruleFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	var files []string
	err = filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ext := strings.ToLower(filepath.Ext(p)); !e.IsDir() && (ext == ".yaml" || ext == ".yml") {
			files = append(files, p)
		}
		return nil
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("the directory holds no .yaml or .yml file")
	}
	return files, err
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	// One byte over the bound is enough for Parse to refuse the file.
	return io.ReadAll(io.LimitReader(f, MaxFileBytes+1))
}

// NewSet puts rules in order and leaves those out whose id is taken.
func NewSet(all []*Rule) (*Set, Problems) {
	var problems Problems
	byID := map[RuleID]*Rule{}
	set := &Set{}
	for _, r := range all {
		if first := byID[r.ID]; first != nil {
			problems = append(problems, Problem{
				File: r.File, Line: r.Line, Column: 1, Rule: r.ID, Field: "id",
				Message: fmt.Sprintf("%s:%d has a rule of this id already: ids are unique", first.File, first.Line),
			})
			continue
		}
		byID[r.ID] = r
		set.Rules = append(set.Rules, r)
	}
	slices.SortFunc(set.Rules, func(a, b *Rule) int { return cmp.Compare(a.ID, b.ID) })
	return set, problems
}

// Streamed returns the rules that a stream can evaluate as a set, and the others.
func (s *Set) Streamed() (streamed *Set, long []*Rule) {
	streamed = &Set{}
	for _, r := range s.Rules {
		if r.Streamed() {
			streamed.Rules = append(streamed.Rules, r)
		} else {
			long = append(long, r)
		}
	}
	return streamed, long
}
