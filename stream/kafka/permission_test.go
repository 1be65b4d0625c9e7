package kafka

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream"
	"github.com/klaxon-dev/klaxon/stream/kafka/kafkatest"
)

// permissions are the documented ones: each role's lines of the table.
func permissions(t *testing.T) map[string][]row {
	t.Helper()
	all := map[string][]row{}
	for _, r := range rows(t, "role") {
		all[r.cells[0]] = append(all[r.cells[0]], r)
	}
	return all
}

// TestPermissions gives a user what the page says that a role must be allowed,
// and holds that the role can do its work and not another's.
func TestPermissions(t *testing.T) {
	ctx := adminContext(t)
	broker := kafkatest.StartSecure(t,
		"authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer", "super.users=User:ANONYMOUS")
	c := Config{
		Brokers: broker.SASL, SingleBroker: true,
		TLS:  TLSConfig{Enabled: true, CAFile: broker.CAFile},
		SASL: SASLConfig{Mechanism: "SCRAM-SHA-512", Username: broker.Username, PasswordFile: broker.PasswordFile},
	}
	layout := topic.Layout(1)
	documented := permissions(t)
	if _, err := Init(ctx, c, layout, InitOptions{}); err == nil || !strings.Contains(err.Error(), "docs/stream.md") {
		t.Errorf("a user who is allowed nothing: %v", err)
	}
	admin := &kafka.Client{Addr: kafka.TCP(broker.Bootstrap()...)}
	allow(ctx, t, admin, documented["init"])
	until(ctx, t, "init", func() error { _, err := Init(ctx, c, layout, InitOptions{}); return err })
	for _, role := range slices.Sorted(maps.Keys(documented)) {
		if role == "init" || role == "every role" {
			continue
		}
		t.Run(role, func(t *testing.T) {
			allow(ctx, t, admin, slices.Concat(documented["every role"], documented[role]))
			until(ctx, t, "check", func() error { return Check(ctx, c, layout) })
			work(ctx, t, c, layout, documented[role])
		})
	}
}

// work does what the lines say, and holds that no other topic can be written.
func work(ctx context.Context, t *testing.T, c Config, layout map[string]int, lines []row) {
	t.Helper()
	log, err := Open(ctx, c, Options{Topics: slices.Sorted(maps.Keys(layout)), Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	record := []stream.Record{{Value: []byte("x")}}
	writable := map[string]bool{}
	for _, r := range lines {
		name := strings.TrimPrefix(words(r.cells[3])[0], "klaxon.")
		switch {
		case r.cells[1] == "Write":
			writable[name] = true
			until(ctx, t, "write to "+name, func() error { return log.Append(ctx, name, record) })
		case r.cells[2] == "group":
			short, group, _ := strings.Cut(name, ".")
			if err := consumeOnce(ctx, log, short, group); err != nil {
				t.Errorf("read %s as %s: %v", short, group, err)
			}
		}
	}
	for short := range layout {
		if !writable[short] && log.Append(ctx, short, record) == nil {
			t.Errorf("it can write to %s", short)
		}
	}
}

// consumeOnce owns a partition and commits.
func consumeOnce(ctx context.Context, log stream.Log, short, group string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	committed := false
	err := log.Consume(ctx, short, group, func(ctx context.Context, claim stream.Claim) error {
		if claim.End() > 0 {
			if _, err := claim.Read(ctx, 0, 1<<20); err != nil {
				return err
			}
		}
		err := claim.Commit(ctx, claim.Position())
		committed = err == nil
		cancel()
		return err
	})
	if committed {
		return nil
	}
	return err
}

// allow makes the lines all that the user may do.
func allow(ctx context.Context, t *testing.T, admin *kafka.Client, lines []row) {
	t.Helper()
	const anything = kafka.ResourceTypeAny
	gone, err := admin.DeleteACLs(ctx, &kafka.DeleteACLsRequest{Filters: []kafka.DeleteACLsFilter{{
		ResourceTypeFilter: anything, ResourcePatternTypeFilter: kafka.PatternTypeAny,
		Operation: kafka.ACLOperationTypeAny, PermissionType: kafka.ACLPermissionTypeAny,
	}}})
	if err != nil || gone.Results[0].Error != nil {
		t.Fatal(err, gone)
	}
	var entries []kafka.ACLEntry
	for _, r := range lines {
		entry := kafka.ACLEntry{
			ResourceType: kafka.ResourceTypeTopic, ResourcePatternType: kafka.PatternTypeLiteral, ResourceName: words(r.cells[3])[0],
			Principal: "User:klaxon", Host: "*", PermissionType: kafka.ACLPermissionTypeAllow,
		}
		switch r.cells[2] {
		case "group":
			entry.ResourceType = kafka.ResourceTypeGroup
		case "topics that begin with":
			entry.ResourcePatternType = kafka.PatternTypePrefixed
		}
		for operation := range strings.SplitSeq(r.cells[1], ", ") {
			if err := entry.Operation.UnmarshalText([]byte(operation)); err != nil {
				t.Fatal(err)
			}
			entries = append(entries, entry)
		}
	}
	made, err := admin.CreateACLs(ctx, &kafka.CreateACLsRequest{ACLs: entries})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range made.Errors {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// until repeats what brokers allow a little after they were told.
func until(ctx context.Context, t *testing.T, what string, f func() error) {
	t.Helper()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, err)
		}
	}
}
