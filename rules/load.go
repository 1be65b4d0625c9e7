package rules

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Sources says where the rules of a set come from.
type Sources struct {
	NoBuiltin bool      // leave the builtin packs out
	Paths     []string  // files, and directories of *.yaml and *.yml files
	Now       time.Time // warn of exceptions that have expired; zero: of none
}

// Load reads rules. A file with mistakes never stops the others: the set holds
// every rule that is right, the problems say what is wrong with the rest.
func Load(sources Sources) (*Set, Problems) {
	return NewLoader(sources).Load(sources.Now)
}

// Loader reads rules again and again. A file that was right and is not any more
// stays as it was. It is used by one goroutine.
type Loader struct {
	sources Sources
	builtin []File // parsed once
	right   map[string]File
	listed  map[string][]string // the files of a path, as they were last seen
}

// NewLoader returns a loader of sources.
func NewLoader(sources Sources) *Loader {
	return &Loader{sources: sources, right: map[string]File{}, listed: map[string][]string{}}
}

// Load reads the rules as they are now.
func (l *Loader) Load(now time.Time) (*Set, Problems) {
	files, problems := l.packs()
	right := map[string]File{}
	for _, path := range l.sources.Paths {
		names, err := ruleFiles(path)
		if err != nil {
			problems = append(problems, fileProblem(path, err))
			names = l.listed[path]
		}
		l.listed[path] = names
		for _, name := range names {
			f, ps := l.file(name)
			problems = append(problems, ps...)
			files = append(files, f)
			if kept, was := l.right[name]; was {
				right[name] = kept
			}
		}
	}
	l.right = right
	set, ps := newSet(files)
	problems = append(problems, ps...)
	problems = append(problems, Lint(set)...)
	if !now.IsZero() {
		problems = append(problems, set.Expired(now)...)
	}
	problems.sort()
	return set, problems
}

func (l *Loader) packs() (files []File, problems Problems) {
	if l.sources.NoBuiltin {
		return nil, nil
	}
	if l.builtin == nil {
		for name, src := range builtin() {
			f, ps := ParseFile(name, src, OriginBuiltin)
			problems = append(problems, ps...)
			l.builtin = append(l.builtin, f)
		}
	}
	return append(files, l.builtin...), problems
}

// file reads one file. If it has a mistake, and had none before, it stays as it
// was; else what is right of it is taken.
func (l *Loader) file(name string) (File, Problems) {
	var f File
	var problems Problems
	src, err := readFile(name)
	if err != nil {
		problems = Problems{fileProblem(name, err)}
	} else {
		f, problems = ParseFile(name, src, OriginUser)
	}
	if len(problems.Errors()) == 0 {
		l.right[name] = f
		return f, problems
	}
	if before, was := l.right[name]; was {
		return before, problems
	}
	return f, problems
}

// newSet joins what files hold.
func newSet(files []File) (*Set, Problems) {
	var all []*Rule
	var changes []*Change
	for _, f := range files {
		all = append(all, f.Rules...)
		changes = append(changes, f.Changes...)
	}
	all, problems := Apply(all, changes)
	set, ps := NewSet(all)
	return set, append(problems, ps...)
}

// Stamp says in which state the files of the sources are: it differs when one was
// changed, came or went.
func (l *Loader) Stamp() string {
	var b strings.Builder
	for _, path := range l.sources.Paths {
		names, err := ruleFiles(path)
		if err != nil {
			fmt.Fprintf(&b, "%s: %v\n", path, err)
		}
		for _, name := range names {
			info, err := os.Stat(name)
			if err != nil {
				fmt.Fprintf(&b, "%s: %v\n", name, err)
				continue
			}
			fmt.Fprintf(&b, "%s %d %d\n", name, info.Size(), info.ModTime().UnixNano())
		}
	}
	return b.String()
}

func fileProblem(path string, err error) Problem {
	return Problem{File: path, Line: 1, Column: 1, Message: err.Error()}
}

// ruleFiles lists the files of a path. Hidden directories are left out: mounted
// configuration keeps its earlier versions in them.
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
		if e.IsDir() && p != path && strings.HasPrefix(e.Name(), ".") {
			return filepath.SkipDir
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
