package local

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/klaxon-dev/klaxon/stream"
)

// promises are what a log has let others see: it must survive every crash.
type promises struct {
	mu       sync.Mutex
	acked    map[string]bool  // values of records that were acknowledged
	seen     map[int64]string // offset → value, of records that were read
	position stream.Position  // committed
}

func (p *promises) copy() *promises {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := &promises{acked: make(map[string]bool), seen: make(map[int64]string), position: p.position}
	for v := range p.acked {
		c.acked[v] = true
	}
	for o, v := range p.seen {
		c.seen[o] = v
	}
	return c
}

// check compares the promises with what a log holds.
func (p *promises) check(t *testing.T, log *Log) {
	t.Helper()
	at := make(map[string]int64)
	for i, r := range held(t, log, "events", 0) {
		if r.Offset != int64(i) {
			t.Fatalf("record %d lies at offset %d", i, r.Offset)
		}
		if want, ok := p.seen[r.Offset]; ok && want != string(r.Value) {
			t.Errorf("offset %d was read as %q and is %q after the crash", r.Offset, want, r.Value)
		}
		at[string(r.Value)] = r.Offset
		delete(p.seen, r.Offset)
	}
	for v := range p.acked {
		if _, ok := at[v]; !ok {
			t.Errorf("%q was acknowledged and is gone", v)
		}
	}
	if len(p.seen) > 0 {
		t.Errorf("%d records were read and are gone", len(p.seen))
	}
	topic := log.topics["events"]
	if got := topic.position(topic.group("readers"), 0); got.Offset < p.position.Offset {
		t.Errorf("position %+v was committed and is %+v", p.position, got)
	}
}

// TestCrashes takes the power away at random moments, in every generation a few
// times: each time the disk keeps what was synced and a random part of what was
// not. The next generation goes on with one of those disks.
func TestCrashes(t *testing.T) {
	const generations, crashes = 4, 6
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	disk := vfs.NewCrashableMem()
	kept := &promises{acked: make(map[string]bool), seen: make(map[int64]string)}
	for generation := range generations {
		log, err := Open("data/log", Config{}, onePartition(Options{FS: disk}))
		if err != nil {
			t.Fatal(err)
		}
		stop := load(t, log, kept, fmt.Sprintf("generation %d", generation))
		var next *vfs.MemFS
		var left *promises
		for range crashes {
			awaitProgress(t, log, 20+rng.Int64N(100))
			left = kept.copy() // before the crash: what comes between may be lost
			next = disk.CrashClone(vfs.CrashCloneCfg{
				UnsyncedDataPercent: []int{0, 50, 100}[rng.IntN(3)],
				RNG:                 rand.New(rand.NewPCG(rng.Uint64(), 0)),
			})
			checkDisk(t, next, left)
		}
		stop()
		disk, kept = next, left.copy()
	}
}

// checkDisk opens a copy of a disk and checks it; the disk stays as it is.
func checkDisk(t *testing.T, disk *vfs.MemFS, want *promises) {
	t.Helper()
	tried := disk.CrashClone(vfs.CrashCloneCfg{})
	log, err := Open("data/log", Config{}, onePartition(Options{FS: tried}))
	if err != nil {
		t.Fatalf("open after the crash: %v", err)
	}
	want.copy().check(t, log)
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
}

// load appends, reads and commits until stop is called, and notes what was
// promised. stop closes the log.
func load(t *testing.T, log *Log, kept *promises, name string) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	for a := range 4 {
		work.Go(func() { appendForever(ctx, t, log, kept, fmt.Sprintf("%s, appender %d", name, a)) })
	}
	work.Go(func() {
		err := log.Consume(ctx, "events", "readers", func(ctx context.Context, c stream.Claim) error {
			return readForever(ctx, c, kept)
		})
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("consume: %v", err)
		}
	})
	return func() {
		cancel()
		work.Wait()
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	}
}

func appendForever(ctx context.Context, t *testing.T, log *Log, kept *promises, name string) {
	for i := 0; ctx.Err() == nil; i++ {
		var records []stream.Record
		for j := range 1 + i%5 {
			records = append(records, stream.Record{Value: fmt.Appendf(nil, "%s, append %d, record %d", name, i, j)})
		}
		if err := log.Append(ctx, "events", records); err != nil {
			if ctx.Err() == nil {
				t.Errorf("append: %v", err)
			}
			return
		}
		kept.mu.Lock()
		for i := range records {
			kept.acked[string(records[i].Value)] = true
		}
		kept.mu.Unlock()
	}
}

func readForever(ctx context.Context, c stream.Claim, kept *promises) error {
	next := c.Position().Offset
	for {
		records, err := c.Read(ctx, next, 1000)
		if err != nil {
			return err
		}
		kept.mu.Lock()
		for _, r := range records {
			kept.seen[r.Offset] = string(r.Value)
		}
		kept.mu.Unlock()
		next += int64(len(records))
		p := stream.Position{Offset: next}
		if err := c.Commit(ctx, p); err != nil {
			return err
		}
		kept.mu.Lock()
		kept.position = p
		kept.mu.Unlock()
	}
}

// awaitProgress returns when n more records are durable.
func awaitProgress(t *testing.T, log *Log, n int64) {
	t.Helper()
	p := log.topics["events"].partitions[0]
	_, end := p.bounds()
	if err := p.wait(t.Context(), nil, end.offset+n-1); err != nil {
		t.Fatal(err)
	}
}

// written is a log on a disk in memory, its last file not closed.
type written struct {
	disk  *vfs.MemFS
	wal   string  // path of the last log file
	sizes []int64 // how long it was after each record
}

// writeRecords appends n records with keys of so many bytes, one by one, and
// leaves the log as a crash would.
func writeRecords(t *testing.T, n, keyBytes int) written {
	t.Helper()
	disk := vfs.NewCrashableMem()
	log := mustOpen(t, "log", Config{Compression: CompressionNone}, onePartition(Options{FS: disk}))
	w := written{wal: lastWAL(t, disk)}
	for i := range n {
		records := numbered(i, 1)
		records[0].Key = make([]byte, keyBytes)
		if err := log.Append(t.Context(), "events", records); err != nil {
			t.Fatal(err)
		}
		w.sizes = append(w.sizes, fileSize(t, disk, w.wal))
	}
	w.disk = disk.CrashClone(vfs.CrashCloneCfg{})
	return w
}

func lastWAL(t *testing.T, fs vfs.FS) string {
	t.Helper()
	names, err := fs.List("log")
	if err != nil {
		t.Fatal(err)
	}
	names = slices.DeleteFunc(names, func(n string) bool { return fs.PathBase(n) != n || len(n) < 4 || n[len(n)-4:] != ".log" })
	if len(names) == 0 {
		t.Fatal("there is no log file")
	}
	return fs.PathJoin("log", slices.Max(names))
}

func fileSize(t *testing.T, fs vfs.FS, path string) int64 {
	t.Helper()
	info, err := fs.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// with returns a copy of the disk with other contents of the log file.
func (w *written) with(t *testing.T, change func([]byte) []byte) *vfs.MemFS {
	t.Helper()
	disk := w.disk.CrashClone(vfs.CrashCloneCfg{})
	f, err := disk.Open(w.wal)
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, fileSize(t, disk, w.wal))
	if _, err := f.ReadAt(data, 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	out, err := disk.Create(w.wal, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.Write(change(data)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(out.Sync(), out.Close()); err != nil {
		t.Fatal(err)
	}
	return disk
}

// before returns how many records had been written when the file was size long.
func (w *written) before(size int64) int {
	n, exact := slices.BinarySearch(w.sizes, size)
	if exact {
		n++
	}
	return n
}

// checkPrefix opens the log and expects exactly the first n records, and that it
// goes on.
func checkPrefix(t *testing.T, disk *vfs.MemFS, what string, least, most int) {
	t.Helper()
	log, err := Open("log", Config{}, onePartition(Options{FS: disk}))
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	got := held(t, log, "events", 0)
	if len(got) < least || len(got) > most {
		t.Errorf("%s: %d records, want %d to %d", what, len(got), least, most)
	}
	if err := log.Append(t.Context(), "events", numbered(len(got), 1)); err != nil {
		t.Errorf("%s: append: %v", what, err)
	}
	for i, r := range held(t, log, "events", 0) {
		if want := fmt.Sprintf("record %d", i); string(r.Value) != want || r.Offset != int64(i) {
			t.Errorf("%s: offset %d holds %q, want %q at %d", what, r.Offset, r.Value, want, i)
		}
	}
	if err := log.Close(); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// TestCutAtEveryByte cuts the last log file at each of its bytes: what was
// written before the cut is there, and nothing else.
func TestCutAtEveryByte(t *testing.T) {
	const records = 8
	w := writeRecords(t, records, 0)
	for size := w.sizes[records-1]; size >= 0; size-- {
		disk := w.with(t, func(data []byte) []byte { return data[:size] })
		n := w.before(size)
		checkPrefix(t, disk, fmt.Sprintf("cut at %d", size), n, n)
	}
}

// TestFlipEveryByteOfTheLastRecord damages the last record: the others are
// there.
func TestFlipEveryByteOfTheLastRecord(t *testing.T) {
	const records = 8
	w := writeRecords(t, records, 0)
	for i := w.sizes[records-2]; i < w.sizes[records-1]; i++ {
		disk := w.with(t, func(data []byte) []byte { data[i] ^= 0xff; return data })
		checkPrefix(t, disk, fmt.Sprintf("byte %d flipped", i), records-1, records-1)
	}
}

// TestDamage damages bytes of a log file of many blocks anywhere: the log opens
// with a clean part of its beginning, or says that it is damaged; never with
// other records than were written.
func TestDamage(t *testing.T) {
	const records, size = 6, 40 << 10
	w := writeRecords(t, records, size)
	refused := 0
	for i := int64(0); i < w.sizes[records-1]; i += 5003 {
		disk := w.with(t, func(data []byte) []byte { data[i] ^= 0xff; return data })
		log, err := Open("log", Config{}, onePartition(Options{FS: disk}))
		if err != nil {
			refused++
			if !strings.Contains(err.Error(), "keep a copy of the directory") {
				t.Errorf("byte %d flipped: the error does not help: %v", i, err)
			}
			continue
		}
		if err := log.Close(); err != nil {
			t.Error(err)
		}
		checkPrefix(t, disk, fmt.Sprintf("byte %d flipped", i), w.before(i), w.before(i))
	}
	if refused == 0 {
		t.Error("no damage was told from a torn write")
	}
}
