package canary

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream"
	"github.com/klaxon-dev/klaxon/stream/local"
)

// findings are the places whose values were found, each with where and how.
type findings map[string]string

func (f findings) add(where string, found map[string]string) {
	for place, form := range found {
		if f[place] == "" {
			f[place] = fmt.Sprintf("%s, %s", where, form)
		}
	}
}

// inFiles searches every file below a directory.
func (l *lab) inFiles(finder *finder, dir string) findings {
	l.Helper()
	found := findings{}
	bytes, files := 0, 0
	l.check(filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		bytes += len(text)
		files++
		found.add(strings.TrimPrefix(path, l.dir), finder.find(text))
		if filepath.Ext(path) == ".log" {
			found.add(strings.TrimPrefix(path, l.dir)+" joined", finder.find(joined(text)))
		}
		return nil
	}))
	l.Logf("searched %d bytes in %d files of %s", bytes, files, filepath.Base(dir))
	return found
}

// inTables searches every column of every table, as the engine returns them.
func (l *lab) inTables(ctx context.Context, finder *finder) findings {
	l.Helper()
	found := findings{}
	tables := l.engine.tables(ctx, l.T)
	for _, table := range tables {
		found.add(table, finder.find(l.engine.must(ctx, l.T, "RowBinary", "SELECT * FROM "+table)))
	}
	l.Logf("searched the tables %v", tables)
	return found
}

// rows returns all columns of the events of one request.
func (l *lab) rows(ctx context.Context, auditID string) []byte {
	l.Helper()
	return l.engine.must(ctx, l.T, "RowBinary", "SELECT * FROM klaxon.audit_events WHERE audit_id = '"+auditID+"'")
}

// inLog searches every record of the log, as its reader returns them. Nothing
// may serve the data directory meanwhile.
func (l *lab) inLog(ctx context.Context, finder *finder) findings {
	l.Helper()
	topics := map[string]local.TopicConfig{}
	for _, name := range []string{topic.Events, topic.Matches, topic.Findings, topic.Blind, topic.DeadLetters} {
		topics[name] = local.TopicConfig{Partitions: 1}
	}
	log, err := local.Open(l.serve.Data.Log(), local.Config{}, local.Options{Topics: topics, Logger: slog.New(slog.DiscardHandler)})
	l.check(err)
	defer func() { l.check(log.Close()) }()
	found := findings{}
	for name := range topics {
		records := 0
		err := log.Consume(ctx, name, "canary", func(ctx context.Context, claim stream.Claim) error {
			for at := claim.Position().Offset; at < claim.End(); {
				batch, err := claim.Read(ctx, at, 1<<20)
				if err != nil {
					return err
				}
				for i := range batch {
					found.add("record of "+name, finder.find(textOf(&batch[i])))
				}
				at += int64(len(batch))
				records += len(batch)
			}
			return io.EOF
		})
		if !errors.Is(err, io.EOF) {
			l.Fatalf("read the topic %s: %v", name, err)
		}
		l.Logf("searched %d records of %s", records, name)
	}
	return found
}

// textOf returns all of a record.
func textOf(r *stream.Record) []byte {
	text := append([]byte{}, r.Key...)
	for _, h := range r.Headers {
		text = append(append(append(text, 0), h.Key...), h.Value...)
	}
	return append(append(text, 0), r.Value...)
}

// inOutputs searches what klaxon's commands and its metrics print. What opens a
// dead letter is not among them.
func (l *lab) inOutputs(ctx context.Context, finder *finder) findings {
	l.Helper()
	found := findings{}
	for _, format := range []string{"table", "json", "ndjson"} {
		for _, command := range [][]string{
			{"events", "--all"}, {"findings", "--all"}, {"deadletter", "list", "--all"}, {"scan", l.cluster.AuditLog},
		} {
			out, err := l.serve.Run(ctx, append(command, "-o", format)...)
			l.check(err)
			if len(out) == 0 {
				l.Errorf("%v prints nothing", command)
			}
			found.add(strings.Join(command, " "), finder.find(out))
		}
	}
	answer, err := http.Get(l.serve.Metrics + "/metrics")
	l.check(err)
	text, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	l.check(err)
	found.add("metrics", finder.find(text))
	return found
}
