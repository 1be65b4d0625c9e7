package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// parallelPosts is how many POSTs are on their way at a time, at most.
const parallelPosts = 6

const killConfig = `
ingest: {listen: "127.0.0.1:0", heartbeat: 1s}
api: {listen: "127.0.0.1:0"}
metrics: {listen: "127.0.0.1:0"}
redaction: {key_file: %q}
rules: {paths: [%q]}
store: {batch: {wait: 200ms}}
`

// killsWanted is how often to kill: 20 times, or KLAXON_KILLS.
func killsWanted(t *testing.T) int {
	t.Helper()
	text := os.Getenv("KLAXON_KILLS")
	if text == "" {
		return 20
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("KLAXON_KILLS is %q: want a number of kills", text)
	}
	return n
}

// Serve, its engine or both are killed at random moments under load, and at
// least two of five kills each hit an insert in flight and an unanswered POST.
// Batches are sent until they are acknowledged. Then every event has one row, and
// what is found is what another installation finds that got the same and was
// never killed. The audit log of the same minutes, brought in by klaxon tail in
// the end, changes nothing.
func TestKills(t *testing.T) {
	want, seed := killsWanted(t), rand.Uint64()
	t.Logf("%d kills, seed %d", want, seed)
	dir := t.TempDir()
	key := []byte(strings.Repeat("0123456789abcdef", 4))
	config := killInstallation(t, dir, key)
	calm, struck := installWith(t, config), installWith(t, config)
	load := newLoad(t, filepath.Join(dir, "audit.log"), key, seed)
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()

	door := newDoor(t, struck)
	senders := startSenders(ctx, load, parallelPosts, newDoor(t, calm), door)
	tally := killUntil(t, want, senders, &killer{installation: struck, door: door, rng: rand.New(rand.NewPCG(seed, 1))})
	if err := errors.Join(senders.stop(), load.close()); err != nil {
		t.Fatal(err)
	}
	calm.drained()
	rows(t, calm, load) // the measure is right
	alone := compare(t, calm, struck, load, closePatience)
	t.Logf("by the webhook alone: %v", alone)
	struck.klaxon("tail", "--once", load.path)
	both := compare(t, calm, struck, load, time.Minute) // nothing is opened again
	t.Logf("kills %d, insert in flight %d, unanswered POST %d, %v", tally.kills, tally.inserts, tally.posts, both)
}

// killInstallation writes what both installations share and returns their
// configuration.
func killInstallation(t *testing.T, dir string, key []byte) string {
	t.Helper()
	keyFile := filepath.Join(dir, "redaction.key")
	if err := os.WriteFile(keyFile, key, 0o600); err != nil {
		t.Fatal(err)
	}
	rules, err := filepath.Abs("testdata/kill-rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(killConfig, keyFile, rules)
}

// tally counts kills and what they hit.
type tally struct{ kills, inserts, posts int }

// killUntil kills so often, and on until two of five kills hit an insert in
// flight and two an unanswered POST, up to three times as often.
func killUntil(t *testing.T, want int, senders *senders, k *killer) tally {
	t.Helper()
	var n tally
	quota, started := (2*want+4)/5, time.Now()
	for n.kills < want || n.inserts < quota || n.posts < quota {
		if n.kills >= 3*want {
			t.Fatalf("%d kills hit %d inserts in flight and %d unanswered POSTs, want %d of each", n.kills, n.inserts, n.posts, quota)
		}
		for _, s := range k.strike() {
			n.kills++
			if s.insert {
				n.inserts++
			}
			if s.unanswered > 0 {
				n.posts++
			}
			t.Logf("kill %2d, %3.0f s: %v", n.kills, time.Since(started).Seconds(), s)
		}
		if err := senders.failed(); err != nil {
			t.Fatal(err)
		}
	}
	return n
}
