package scan

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/klaxon-dev/klaxon/detect"
)

// spool is the log of matches of a scan: findings list some of them in the end.
// It is kept in memory up to a bound, then in a file without a name.
type spool struct {
	ends    []int64 // of the matches, in bytes
	tail    []byte  // what is not in the file
	file    *os.File
	written int64 // bytes in the file
}

// spoolBytes is how much of a spool is kept in memory.
const spoolBytes = 32 << 20

// append adds a match and returns its number.
func (s *spool) append(m *detect.Match) (int64, error) {
	text, err := json.Marshal(m)
	if err != nil {
		return 0, fmt.Errorf("spool a match: %w", err)
	}
	s.tail = append(s.tail, text...)
	s.ends = append(s.ends, s.written+int64(len(s.tail)))
	if len(s.tail) > spoolBytes {
		err = s.flush()
	}
	return int64(len(s.ends) - 1), err
}

func (s *spool) flush() error {
	if s.file == nil {
		file, err := os.CreateTemp("", "klaxon-scan-*")
		if err != nil {
			return fmt.Errorf("spool of matches: %w; set TMPDIR to a directory with room", err)
		}
		s.file = file
		// It is gone when the process is, however that ends.
		if err := os.Remove(file.Name()); err != nil {
			return fmt.Errorf("spool of matches: %w", err)
		}
	}
	n, err := s.file.Write(s.tail)
	s.written += int64(n)
	s.tail = s.tail[:copy(s.tail, s.tail[n:])]
	if err != nil {
		return fmt.Errorf("spool of matches: %w; set TMPDIR to a directory with room", err)
	}
	return nil
}

// read returns a match by its number.
func (s *spool) read(number int64) (*detect.Match, error) {
	var start int64
	if number > 0 {
		start = s.ends[number-1]
	}
	text := make([]byte, s.ends[number]-start)
	if start >= s.written {
		copy(text, s.tail[start-s.written:])
	} else if _, err := s.file.ReadAt(text, start); err != nil {
		return nil, fmt.Errorf("spool of matches: %w", err)
	}
	m := new(detect.Match)
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("spool of matches: %w", err)
	}
	return m, nil
}

func (s *spool) close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}
