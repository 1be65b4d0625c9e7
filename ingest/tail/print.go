package tail

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"syscall"
)

// printBytes is how much of a file tells it from others: most of its first
// event, which has an id and times of its own.
const printBytes = 1024

// surePrint is the length of a print that tells a file by itself, wherever it
// lies; a shorter one needs the device and inode too.
const surePrint = 256

// print tells a file from others by its first bytes, whatever it is called and
// however it is compressed: files are written at their ends only.
type print struct {
	Bytes int    `json:"bytes"`
	Hash  string `json:"sha256"`
}

// printOf returns the print of a file that begins so.
func printOf(first []byte) print {
	sum := sha256.Sum256(first)
	return print{Bytes: len(first), Hash: hex.EncodeToString(sum[:])}
}

// nodeOf returns device and inode of a file as a word, "" where there are none.
func nodeOf(info fs.FileInfo) string {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%d-%d", stat.Dev, stat.Ino)
}
