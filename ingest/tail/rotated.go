package tail

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxFiles bounds how many files of a directory are looked at.
const maxFiles = 10_000

// file is a file that may be read.
type file struct {
	path string
	info fs.FileInfo
}

// filesOf returns the rotated files of path, in the order in which they were
// written, and path itself at last, if it is there. Path may be a link: its
// rotated files may lie beside it or beside what it leads to.
func filesOf(path string) ([]file, error) {
	current, err := stat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	found := map[string]file{}
	for _, name := range names(path) {
		if err := addRotated(found, name); err != nil {
			return nil, err
		}
	}
	all := make([]file, 0, len(found)+1)
	for path, f := range found {
		// One that is being compressed is still there: what is made of it is not
		// whole yet.
		plain, packed := plainName(path)
		if _, both := found[plain]; (packed && both) || (current != nil && os.SameFile(f.info, current.info)) {
			continue
		}
		all = append(all, f)
	}
	order(all)
	if current != nil {
		all = append(all, *current)
	}
	return all, nil
}

// stat returns the file at path, which must be a regular one.
func stat(path string) (*file, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("it is not a regular file")}
	}
	return &file{path: path, info: info}, nil
}

// names are the paths whose rotated files are looked for.
func names(path string) []string {
	all := []string{path}
	if target, err := filepath.EvalSymlinks(path); err == nil && target != path {
		all = append(all, target)
	}
	return all
}

// addRotated adds the rotated files of one path.
func addRotated(found map[string]file, path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	entries, err := dir.ReadDir(maxFiles)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	rotated := rotatedName(filepath.Base(path))
	for _, e := range entries {
		if !e.Type().IsRegular() || !rotated.MatchString(e.Name()) {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // it is gone
		}
		at := filepath.Join(filepath.Dir(path), e.Name())
		found[at] = file{path: at, info: info}
	}
	return nil
}

// rotatedName matches the names that are given to a file when it is rotated:
// audit-2026-11-21T12-00-00.000.log by API servers (lumberjack), audit.log.1,
// audit.log-20261121 and audit-20261121.log by logrotate, audit.log.20261121-120000
// by kubelets; and these compressed.
func rotatedName(base string) *regexp.Regexp {
	ext := filepath.Ext(base)
	stem := regexp.QuoteMeta(strings.TrimSuffix(base, ext))
	const stamp = `\d[\dT.:_-]*`
	return regexp.MustCompile(`^(` + stem + `-` + stamp + regexp.QuoteMeta(ext) + `|` + regexp.QuoteMeta(base) + `[.-]` + stamp + `)(\.gz|\.zst)?$`)
}

// plainName returns the name that a compressed file had before.
func plainName(path string) (plain string, packed bool) {
	for _, ext := range []string{".gz", ".zst"} {
		if before, ok := strings.CutSuffix(path, ext); ok {
			return before, true
		}
	}
	return path, false
}

// order sorts rotated files by when they were written: by their names where all
// of them tell it, because compressing changes the times of files.
func order(files []file) {
	by := []func(file) (int64, bool){stamp, number, modified}
	for _, key := range by {
		keys := map[string]int64{}
		all := true
		for _, f := range files {
			k, ok := key(f)
			keys[f.path], all = k, all && ok
		}
		if !all {
			continue
		}
		slices.SortStableFunc(files, func(a, b file) int {
			if keys[a.path] != keys[b.path] {
				return int(min(max(keys[a.path]-keys[b.path], -1), 1))
			}
			return strings.Compare(a.path, b.path)
		})
		return
	}
}

// stamp returns the time in a name that an API server gave.
func stamp(f file) (int64, bool) {
	const layout = "2006-01-02T15-04-05.000"
	name, _ := plainName(filepath.Base(f.path))
	for _, name := range []string{strings.TrimSuffix(name, filepath.Ext(name)), name} {
		if len(name) < len(layout) {
			continue
		}
		if t, err := time.Parse(layout, name[len(name)-len(layout):]); err == nil {
			return t.UnixMilli(), true
		}
	}
	return 0, false
}

// number returns the place of audit.log.1, the last one, audit.log.2 and so on.
func number(f file) (int64, bool) {
	name, _ := plainName(filepath.Base(f.path))
	n, err := strconv.ParseInt(strings.TrimPrefix(filepath.Ext(name), "."), 10, 32)
	return -n, err == nil
}

func modified(f file) (int64, bool) { return f.info.ModTime().UnixNano(), true }
