package scan

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Stdin is the path that stands for standard input.
const Stdin = "-"

// Input is one file to scan.
type Input struct {
	Path string
	Size int64 // bytes on disk, -1 where that is not known
}

// Inputs lists the files that paths name. A directory stands for the logs in
// and below it, in order of their paths; files in it that are no logs by their
// names are left out and returned apart.
func Inputs(paths []string) (inputs []Input, left []string, err error) {
	for _, path := range paths {
		if path == Stdin {
			inputs = append(inputs, Input{Path: Stdin, Size: -1})
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, nil, err
		}
		if !info.IsDir() {
			inputs = append(inputs, Input{Path: path, Size: sizeOf(info)})
			continue
		}
		found, others, err := inDirectory(path)
		if err != nil {
			return nil, nil, err
		}
		if len(found) == 0 {
			return nil, nil, fmt.Errorf("%s holds no audit logs: files named *.log*, *.json, *.jsonl or *.ndjson, plain, .gz or .zst, are read", path)
		}
		inputs, left = append(inputs, found...), append(left, others...)
	}
	return inputs, left, nil
}

func sizeOf(info fs.FileInfo) int64 {
	if !info.Mode().IsRegular() {
		return -1
	}
	return info.Size()
}

func inDirectory(dir string) (inputs []Input, left []string, err error) {
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !e.Type().IsRegular():
			return nil
		case !isLog(e.Name()):
			left = append(left, path)
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		inputs = append(inputs, Input{Path: path, Size: info.Size()})
		return nil
	})
	return inputs, left, err
}

// isLog reports whether a file's name is that of an audit log, rotated and
// compressed ones included: audit.log, audit-2026-01-02.log.gz, audit.log.1.
func isLog(name string) bool {
	name = strings.ToLower(name)
	for _, suffix := range []string{".gz", ".zst"} {
		name = strings.TrimSuffix(name, suffix)
	}
	return strings.Contains(name, ".log") || slices.Contains([]string{".json", ".jsonl", ".ndjson"}, filepath.Ext(name))
}
