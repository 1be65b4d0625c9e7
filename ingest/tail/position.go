package tail

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/klaxon-dev/klaxon/internal/secretfile"
)

// Position is how far a file was brought to the receiver: all before it is on
// the receiver's disk.
type Position struct {
	Version int    `json:"version"`
	File    string `json:"file"` // that is followed
	Path    string `json:"path"` // of the file that is meant, as it was last known
	Node    string `json:"node"` // its device and inode
	Print   print  `json:"print"`
	Offset  int64  `json:"offset"` // bytes of its plain text

	Modified  time.Time `json:"modified"`   // when the file had been written to, at last
	LastEvent time.Time `json:"last_event"` // stageTimestamp of the last event before it
}

const (
	positionVersion = 1
	maxPosition     = 64 << 10 // bytes of its file
)

// State is the file that a position is kept in. One process has it at a time.
type State struct {
	path string
	lock *os.File
}

// OpenState takes a position's file, which need not be there yet. Close gives
// it back.
func OpenState(path string) (*State, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("position: %w", err)
	}
	lock, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("position: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("position %s: another klaxon tail has it: stop that one, or give this one a --state of its own", path)
		}
		return nil, fmt.Errorf("position: lock %s: %w", lock.Name(), err)
	}
	return &State{path: path, lock: lock}, nil
}

// Close gives the file back.
func (s *State) Close() error { return s.lock.Close() }

// load returns what was stored for a file; nil if nothing was.
func (s *State) load(file string) (*Position, error) {
	text, err := s.read()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("position: %w", err)
	}
	var p Position
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, fmt.Errorf("position %s cannot be read: %w: delete it to begin anew; events that come twice are recognised", s.path, err)
	}
	switch {
	case p.Version != positionVersion:
		return nil, fmt.Errorf("position %s is of version %d, this klaxon knows %d: use the klaxon that wrote it, or delete it to begin anew", s.path, p.Version, positionVersion)
	case p.File != file:
		return nil, fmt.Errorf("position %s is of the file %s: give this one a --state of its own", s.path, p.File)
	case p.Offset < 0 || p.Print.Bytes < 0 || p.Print.Bytes > printBytes:
		return nil, fmt.Errorf("position %s holds numbers that cannot be: delete it to begin anew; events that come twice are recognised", s.path)
	}
	return &p, nil
}

func (s *State) read() ([]byte, error) {
	f, err := os.Open(s.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxPosition))
}

// store makes a position durable, in one step.
func (s *State) store(p *Position) error {
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("position: %w", err)
	}
	if err := secretfile.Replace(s.path, append(text, '\n')); err != nil {
		return fmt.Errorf("store the position: %w", err)
	}
	return nil
}
