package scan

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
)

// spool is a list of values that may be long. It is kept in memory up to a bound,
// then in a file without a name.
type spool[T any] struct {
	limit   int     // bytes in memory, 0: spoolBytes
	ends    []int64 // of the values, in bytes
	tail    []byte  // what is not in the file
	file    *os.File
	written int64 // bytes in the file
}

// spoolBytes is how much of a spool is kept in memory.
const spoolBytes = 32 << 20

// append adds a value and returns its number.
func (s *spool[T]) append(v *T) (int64, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return 0, fmt.Errorf("spool a %T: %w", *v, err)
	}
	s.tail = append(s.tail, text...)
	s.ends = append(s.ends, s.written+int64(len(s.tail)))
	if len(s.tail) > cmp.Or(s.limit, spoolBytes) {
		err = s.flush()
	}
	return int64(len(s.ends) - 1), err
}

func (s *spool[T]) flush() error {
	if s.file == nil {
		file, err := os.CreateTemp("", "klaxon-scan-*")
		if err != nil {
			return fmt.Errorf("spool: %w; set TMPDIR to a directory with room", err)
		}
		s.file = file
		// It is gone when the process is, however that ends.
		if err := os.Remove(file.Name()); err != nil {
			return fmt.Errorf("spool: %w", err)
		}
	}
	n, err := s.file.Write(s.tail)
	s.written += int64(n)
	s.tail = s.tail[:copy(s.tail, s.tail[n:])]
	if err != nil {
		return fmt.Errorf("spool: %w; set TMPDIR to a directory with room", err)
	}
	return nil
}

// read returns a value by its number.
func (s *spool[T]) read(number int64) (*T, error) {
	var start int64
	if number > 0 {
		start = s.ends[number-1]
	}
	text := make([]byte, s.ends[number]-start)
	if start >= s.written {
		copy(text, s.tail[start-s.written:])
	} else if _, err := s.file.ReadAt(text, start); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	v := new(T)
	if err := json.Unmarshal(text, v); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	return v, nil
}

func (s *spool[T]) close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}
