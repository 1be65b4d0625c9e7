package cli

import "testing"

func TestByteSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "4096": 4096, "64KiB": 64 << 10, "1.5GiB": 1536 << 20, "2 MiB": 2 << 20, "1TB": 1e12, "3kB": 3000, "7B": 7,
	} {
		var s byteSize
		if err := s.Set(text); err != nil || int64(s) != want {
			t.Errorf("%q: %d, %v, want %d", text, s, err, want)
		}
	}
	for _, text := range []string{"", "x", "-1", "1EiB", "GiB", "1e30GiB", "NaN", "Inf", "1 2"} {
		var s byteSize
		if err := s.Set(text); err == nil {
			t.Errorf("%q: %d", text, s)
		}
	}
	for size, want := range map[byteSize]string{0: "0", 1: "1", 1536 << 20: "1536MiB", 1 << 40: "1TiB", 1000: "1000"} {
		if got := size.String(); got != want {
			t.Errorf("%d is written %s, want %s", int64(size), got, want)
		}
	}
}
