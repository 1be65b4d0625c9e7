package cli

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/app"
	"github.com/klaxon-dev/klaxon/internal/datadir"
	"github.com/klaxon-dev/klaxon/internal/secretfile"
)

// redaction is what is done to events before they are looked at. As serve does
// it, equal events have equal ids.
type redaction struct {
	app.RedactionConfig
	eventBytes int64
	dataDir    string // "": the default
}

// redaction returns what the configuration of a serve says, or the defaults, and
// what flags say otherwise.
func (f *scanFlags) redaction() (redaction, error) {
	r := redaction{eventBytes: audit.DefaultEventBytes, dataDir: f.dataDir}
	if f.configFile != "" {
		c, dir, err := app.ReadConfig(f.configFile, f.dataDir, nil)
		if err != nil {
			return r, usageError{err}
		}
		r = redaction{RedactionConfig: c.Redaction, eventBytes: c.Ingest.Limits.EventBytes, dataDir: string(dir)}
	}
	r.KeyFile = cmp.Or(f.keyFile, r.KeyFile)
	return r, nil
}

// reducer returns what does it; kept says that its key is one that others use
// too.
func (r *redaction) reducer() (reducer *audit.Reducer, kept bool, err error) {
	key, kept, err := r.key()
	if err != nil {
		return nil, false, err
	}
	redactor, err := audit.NewRedactor(key, r.Redact...)
	if err != nil {
		return nil, false, err
	}
	reducer, err = audit.NewReducer(redactor, int(r.eventBytes))
	return reducer, kept, err
}

// key returns the redaction key; kept says that it is one that others use too.
func (r *redaction) key() (key []byte, kept bool, err error) {
	path := r.KeyFile
	if path == "" {
		dir, err := datadir.Resolve(r.dataDir)
		if err != nil {
			return randomKey(), false, nil
		}
		path = dir.RedactionKey()
	}
	text, err := secretfile.Read(path)
	switch {
	case err == nil:
		return []byte(text), true, nil
	case r.KeyFile == "" && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)):
		return randomKey(), false, nil
	default:
		return nil, false, fmt.Errorf("redaction key: %w", err)
	}
}

func randomKey() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return key
}
