// Package app wires the product together: it builds serve from its
// configuration in order of dependency and stops it in reverse. It alone knows
// all packages.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/ingest"
	"github.com/klaxon-dev/klaxon/internal/datadir"
	"github.com/klaxon-dev/klaxon/internal/secretfile"
	"github.com/klaxon-dev/klaxon/store"
	"github.com/klaxon-dev/klaxon/store/engine"
	"github.com/klaxon-dev/klaxon/stream"
	"github.com/klaxon-dev/klaxon/stream/spool"
	"github.com/klaxon-dev/klaxon/web/api"
)

// stopTimeout bounds a graceful stop.
const stopTimeout = 30 * time.Second

// Options are what serve runs with besides its configuration.
type Options struct {
	DataDir datadir.Dir
	Logger  *slog.Logger
	Clock   func() time.Time
	// Consumer, where it is not nil, returns what stages read the log through: a
	// test that moves clocks moves the times with it that the log gives records.
	Consumer func(stream.Consumer) stream.Consumer
}

// App is one running serve. Several may run in one process.
type App struct {
	config   Config
	dir      datadir.Dir
	logger   *slog.Logger
	clock    func() time.Time
	consumer func(stream.Consumer) stream.Consumer // nil: the log's own
	registry *prometheus.Registry
	cleanups cleanups
	stages   *errgroup.Group
	broken   chan struct{} // a server ended by itself: its clean-up says why
	health   *health
	ballast  []byte
	rules    *ruleKeeper
	spool    *spool.Spool       // nil where there is none
	engine   *engine.Supervisor // nil where ClickHouse is a server

	webhook *ingest.Server
	api     *api.Server
	metrics *metricsServer
}

// New builds serve and starts its parts. On an error nothing is left running.
func New(ctx context.Context, c Config, o Options) (app *App, err error) {
	a := &App{
		config:   c,
		dir:      o.DataDir,
		logger:   o.Logger,
		clock:    o.Clock,
		consumer: o.Consumer,
		registry: prometheus.NewRegistry(),
		cleanups: cleanups{logger: o.Logger},
		broken:   make(chan struct{}, 1),
		ballast:  newBallast(),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Stop())
		}
	}()
	return a, a.start(ctx)
}

// start builds every part after those that it needs.
func (a *App) start(ctx context.Context) error {
	a.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	if err := a.dir.Create(); err != nil {
		return err
	}
	files, err := a.ensureFiles()
	if err != nil {
		return err
	}
	if a.config.Roles.Has(RoleMatch, RoleWindow) {
		a.rules = newRuleKeeper(a.config.Rules, a.clock, a.logger, a.registry)
		if a.rules.load() == reloadRefused {
			return errNoRules
		}
	}
	log, err := a.openLog(ctx)
	if err != nil {
		return err
	}
	sealer, err := ingest.NewSealer(files.redactionKey)
	if err != nil {
		return err
	}
	var db *store.Store
	if a.config.Roles.Has(RoleStore, RoleAPI) {
		if db, err = a.openStore(ctx, log, sealer); err != nil {
			return err
		}
	}
	entry, err := a.openEntry(ctx, log)
	if err != nil {
		return err
	}
	a.health = a.newHealth(log, db)
	// Who asks how the stop goes is answered until the stages are done.
	if err := a.serveMetrics(); err != nil {
		return err
	}
	a.runStages(log, db)
	if err := a.openDoors(files, entry, db, sealer); err != nil {
		return err
	}
	a.health.serving()
	return a.tellClients(files)
}

// openDoors starts what is asked from outside.
func (a *App) openDoors(f files, log stream.Producer, db *store.Store, sealer *ingest.Sealer) error {
	if a.config.Roles.Has(RoleAPI) {
		if err := a.serveAPI(f, db, sealer); err != nil {
			return err
		}
	}
	if a.config.Roles.Has(RoleIngest) {
		return a.serveWebhook(f, log, sealer)
	}
	return nil
}

// tellClients writes down for the other commands how the doors are reached.
func (a *App) tellClients(f files) error {
	if !a.config.Roles.Has(RoleIngest, RoleAPI) {
		return nil
	}
	client := datadir.Client{TokenFile: f.adminToken}
	client.CAFile, client.WebhookCAFile = a.config.signers(f.caFile)
	if a.api != nil {
		client.Server = "https://" + a.api.Addr().String()
	}
	if a.webhook != nil {
		client.Webhook = "https://" + a.webhook.Addr().String()
	}
	return a.dir.WriteClient(client)
}

// signers returns what signs the certificates of the API and of the receiver: the
// development CA those that serve makes, "" those that are configured.
func (c *Config) signers(dev string) (api, webhook string) {
	if c.API.TLS.CertFile == "" {
		api = dev
	}
	if c.Ingest.TLS.CertFile == "" {
		webhook = dev
	}
	return api, webhook
}

// files are the secrets and certificates that serve runs with.
type files struct {
	redactionKey []byte
	adminToken   string // file
	certFile     string
	keyFile      string
	caFile       string
}

// ensureFiles reads the secrets, and makes for development what is not configured.
func (a *App) ensureFiles() (files, error) {
	var f files
	dev, err := ingest.EnsureDevTLS(a.dir.TLS(), nil, a.clock())
	if err != nil {
		return f, fmt.Errorf("development certificates: %w", err)
	}
	f.certFile, f.keyFile, f.caFile = dev.CertFile, dev.KeyFile, dev.CAFile
	var key string
	if path := a.config.Redaction.KeyFile; path != "" {
		key, err = secretfile.Read(path)
	} else {
		key, err = secretfile.Ensure(a.dir.RedactionKey())
	}
	if err != nil {
		return f, fmt.Errorf("redaction key: %w", err)
	}
	f.redactionKey = []byte(key)
	if !a.config.Roles.Has(RoleAPI) {
		return f, nil
	}
	f.adminToken = a.dir.AdminToken()
	if _, err := secretfile.Ensure(f.adminToken); err != nil {
		return f, fmt.Errorf("administrator's token: %w", err)
	}
	return f, nil
}

func (a *App) openStore(ctx context.Context, log stream.Producer, sealer *ingest.Sealer) (*store.Store, error) {
	connection, err := a.connectEngine(ctx)
	if err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, connection, store.Options{
		Config:     a.config.Store,
		Logger:     a.logger.With("part", "store"),
		Registerer: a.registry,
		Clock:      a.clock,
		DeadLetter: deadLetters(log, sealer),
		Await:      !a.config.Roles.Has(RoleStore),
	})
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	a.cleanups.add("store", func(context.Context) error { return db.Close() })
	return db, nil
}

// connectEngine returns how to reach ClickHouse: a server's, or those of the
// embedded engine, which it starts.
func (a *App) connectEngine(ctx context.Context) (*clickhouse.Options, error) {
	if a.config.Store.Kind == store.KindClickHouse {
		return a.config.Store.ServerOptions()
	}
	library := a.config.Engine.Library
	if library == "" {
		var err error
		if library, err = engine.LibraryPath(""); err != nil {
			return nil, fmt.Errorf("engine: %w", err)
		}
	}
	socket, err := a.engineSocket()
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	supervisor, err := engine.Start(ctx, engine.SupervisorConfig{
		Library:    library,
		Path:       a.dir.Store(),
		Socket:     socket,
		Memory:     a.config.Engine.MemoryBytes,
		Logger:     a.logger.With("part", "engine"),
		Registerer: a.registry,
	})
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	a.cleanups.add("engine", supervisor.Stop)
	a.engine = supervisor
	return supervisor.Options(), nil
}

// maxSocketPath is how long the path of a unix socket may be (sun_path).
const maxSocketPath = 107

// engineSocket returns where the engine listens: "" stands for the engine's own
// directory; where that makes too long a path, a private one is made.
func (a *App) engineSocket() (string, error) {
	if len(filepath.Join(a.dir.Store(), "engine.sock")) <= maxSocketPath {
		return "", nil
	}
	dir, err := os.MkdirTemp("", "klaxon-engine-")
	if err != nil {
		return "", err
	}
	a.cleanups.add("engine socket", func(context.Context) error { return os.RemoveAll(dir) })
	return filepath.Join(dir, "engine.sock"), nil
}

// Reload reads the rules again, as it happens by itself when their files change.
// It does not wait and is safe for concurrent use. Without a role that evaluates
// rules it does nothing.
func (a *App) Reload() {
	if a.rules != nil {
		a.rules.ask()
	}
}

func (a *App) serveWebhook(f files, log stream.Producer, sealer *ingest.Sealer) error {
	redactor, err := audit.NewRedactor(f.redactionKey, a.config.Redaction.Redact...)
	if err != nil {
		return err
	}
	senders, err := ingest.NewRegistry(a.dir.Senders(), a.config.Ingest.Senders, a.clock, a.logger)
	if err != nil {
		return fmt.Errorf("senders: %w", err)
	}
	logger := a.logger.With("part", "ingest")
	receiver, err := ingest.NewReceiver(ingest.Options{
		Producer: log, Senders: senders, Redactor: redactor, Sealer: sealer, Instance: a.config.Ingest.Instance,
		Limits: a.config.Ingest.Limits, Now: a.clock, Logger: logger, Registerer: a.registry,
	})
	if err != nil {
		return err
	}
	config := a.config.Ingest
	if config.TLS.CertFile == "" {
		config.TLS.CertFile, config.TLS.KeyFile = f.certFile, f.keyFile
	}
	tls, err := ingest.LoadTLS(config.TLS, a.clock, logger)
	if err != nil {
		return err
	}
	if a.webhook, err = ingest.Listen(config, tls, receiver, logger); err != nil {
		return err
	}
	a.background("heartbeats", func(ctx context.Context) error {
		receiver.RunHeartbeats(ctx, config.Heartbeat)
		return nil
	})
	a.serve("webhook", a.webhook.Serve, a.webhook.Shutdown)
	return nil
}

func (a *App) serveAPI(f files, db *store.Store, sealer *ingest.Sealer) error {
	config := a.config.API
	if config.TLS.CertFile == "" {
		config.TLS.CertFile, config.TLS.KeyFile = f.certFile, f.keyFile
	}
	if len(config.Principals) == 0 {
		config.Principals = []api.Principal{{Name: "local-admin", Role: api.RoleAdmin, Clusters: []string{"*"}, TokenFile: f.adminToken}}
	}
	server, err := api.NewServer(config, api.Options{
		Events: db, Findings: db, Blindness: db, DeadLetters: db, Unseal: unsealing(sealer),
		Logger: a.logger.With("part", "api"), Registerer: a.registry, Clock: a.clock,
	})
	if err != nil {
		return fmt.Errorf("api: %w", err)
	}
	a.api = server
	a.serve("api", server.Serve, server.Shutdown)
	return nil
}

func (a *App) serveMetrics() error {
	server, err := newMetricsServer(a.config.Metrics, a.registry, a.health)
	if err != nil {
		return err
	}
	a.metrics = server
	a.serve("metrics", server.serve, server.shutdown)
	return nil
}

// serve runs a server until its shutdown.
func (a *App) serve(name string, run func() error, shutdown func(context.Context) error) {
	done := make(chan error, 1)
	go func() {
		err := run()
		if err != nil {
			select {
			case a.broken <- struct{}{}:
			default: // one is enough
			}
		}
		done <- err
	}()
	a.cleanups.add(name, func(ctx context.Context) error {
		return errors.Join(shutdown(ctx), <-done)
	})
}

// background runs a loop until the stop.
func (a *App) background(name string, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	a.cleanups.add(name, func(context.Context) error {
		cancel()
		return <-done
	})
}

// Run waits until ctx ends or a stage or a server fails, then stops.
func (a *App) Run(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() { failed <- a.stages.Wait() }()
	var err error
	select {
	case <-ctx.Done():
		a.logger.Info("stopping: no more is accepted, what was accepted is finished")
	case err = <-failed:
	case <-a.broken:
	}
	return errors.Join(err, a.Stop())
}

// Stop ends all parts in reverse order of their building: the doors first, the
// log last.
func (a *App) Stop() error {
	if a.health != nil {
		a.health.stopping()
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return a.cleanups.run(ctx)
}

// Where says at which addresses the parts listen; "" stands for a part that the
// process does not run.
type Where struct {
	Webhook, API, Metrics string
}

// Where returns the addresses.
func (a *App) Where() Where {
	w := Where{Metrics: "http://" + a.metrics.addr().String() + "/metrics"}
	if a.webhook != nil {
		w.Webhook = "https://" + a.webhook.Addr().String() + "/webhook/{cluster}"
	}
	if a.api != nil {
		w.API = "https://" + a.api.Addr().String() + "/api/v1"
	}
	return w
}
