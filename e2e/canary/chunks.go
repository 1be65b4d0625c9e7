package canary

import "encoding/binary"

// The write-ahead log of the local log cuts what is written into blocks of 32 KiB
// and puts a header before each piece: checksum (4 bytes), size (2), type (1) and,
// by type, a log's number (4) and an offset (8).
const (
	blockBytes = 32 << 10
	headBytes  = 7
)

// joined returns the pieces of a write-ahead log without the headers between
// them: a value may lie on both sides of one. Another file gives nothing of use.
func joined(log []byte) []byte {
	var out []byte
	for ; len(log) > 0; log = log[min(blockBytes, len(log)):] {
		block := log[:min(blockBytes, len(log))]
		for len(block) >= headBytes {
			size, head := int(binary.LittleEndian.Uint16(block[4:])), headOf(block[6])
			if head == 0 || head+size > len(block) {
				break
			}
			out = append(out, block[head:head+size]...)
			block = block[head+size:]
		}
	}
	return out
}

// headOf returns the length of a piece's header, 0 where there is no piece.
func headOf(kind byte) int {
	switch {
	case kind >= 1 && kind <= 4:
		return headBytes
	case kind >= 5 && kind <= 8:
		return headBytes + 4
	case kind >= 9 && kind <= 12:
		return headBytes + 4 + 8
	}
	return 0
}
