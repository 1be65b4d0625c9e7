package cli

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/ingest"
	"github.com/klaxon-dev/klaxon/internal/datadir"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream"
)

// receivedLog is a log that keeps the values of the events that it is given.
type receivedLog struct {
	mu    sync.Mutex
	items bytes.Buffer
}

func (l *receivedLog) Partitions(string) int { return 1 }

func (l *receivedLog) Append(_ context.Context, name string, records []stream.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range records {
		if name == topic.Events {
			l.items.Write(records[i].Value)
			l.items.WriteByte('\n')
		}
	}
	return nil
}

// startReceiver runs a webhook receiver on the script's data directory, as
// serve does: receiver.
func startReceiver(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: receiver")
	}
	dir := datadir.Dir(ts.Getenv("KLAXON_DATA_DIR"))
	log := &receivedLog{}
	server, caFile, err := newReceiver(dir, log)
	ts.Check(err)
	ts.Check(dir.WriteClient(datadir.Client{
		Server: "https://unused.invalid", Webhook: "https://" + server.Addr().String(), TokenFile: "unused", WebhookCAFile: caFile,
	}))
	served := make(chan error, 1)
	go func() { served <- server.Serve() }()
	ts.Defer(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		ts.Check(server.Shutdown(ctx))
		ts.Check(<-served)
	})
	ts.Setenv("WEBHOOK", "https://"+server.Addr().String())
	ts.Setenv("CA_FILE", caFile)
	receivers.Store(ts.Getenv("WORK"), log)
}

// writeReceived writes the items that the receiver took: received FILE.
func writeReceived(ts *testscript.TestScript, neg bool, args []string) {
	log, ok := receivers.Load(ts.Getenv("WORK"))
	if neg || len(args) != 1 || !ok {
		ts.Fatalf("usage: received FILE, after receiver")
	}
	l := log.(*receivedLog)
	l.mu.Lock()
	defer l.mu.Unlock()
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), l.items.Bytes(), 0o600))
}

// receivers finds a script's log by its directory.
var receivers sync.Map

func newReceiver(dir datadir.Dir, log stream.Producer) (*ingest.Server, string, error) {
	c := ingest.Config{Listen: "127.0.0.1:0"}
	c.SetDefaults()
	made, err := ingest.EnsureDevTLS(dir.TLS(), nil, time.Now())
	if err != nil {
		return nil, "", err
	}
	c.TLS.CertFile, c.TLS.KeyFile = made.CertFile, made.KeyFile
	logger := slog.New(slog.DiscardHandler)
	senders, err := ingest.NewRegistry(dir.Senders(), nil, time.Now, logger)
	if err != nil {
		return nil, "", err
	}
	key := bytes.Repeat([]byte("k"), 32)
	redactor, err := audit.NewRedactor(key)
	if err != nil {
		return nil, "", err
	}
	sealer, err := ingest.NewSealer(key)
	if err != nil {
		return nil, "", err
	}
	receiver, err := ingest.NewReceiver(ingest.Options{
		Producer: log, Senders: senders, Redactor: redactor, Sealer: sealer, Limits: c.Limits,
		Now: time.Now, Logger: logger, Registerer: prometheus.NewRegistry(),
	})
	if err != nil {
		return nil, "", err
	}
	files, err := ingest.LoadTLS(c.TLS, time.Now, logger)
	if err != nil {
		return nil, "", err
	}
	server, err := ingest.Listen(c, files, receiver, logger)
	return server, made.CAFile, err
}
