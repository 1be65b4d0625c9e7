package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/output"
	"github.com/klaxon-dev/klaxon/internal/query"
)

// Base is the path under which the API lies.
const Base = "/api/v1"

// Events answers queries about events. It shows only what lies in q.Allowed
// (nil: all), whatever else q says. Its errors wrap query.ErrBadFilter,
// query.ErrBadCursor or query.ErrTooExpensive where the asker can mend them. It
// is safe for concurrent use.
type Events interface {
	SearchEvents(ctx context.Context, q query.Events) (query.EventPage, error)
}

// Findings answers queries about findings, on the same terms.
type Findings interface {
	SearchFindings(ctx context.Context, q query.Findings) (query.FindingPage, error)
	// Finding returns the finding in one of the allowed clusters (nil: in any);
	// where there is none, its error wraps query.ErrNotFound.
	Finding(ctx context.Context, id detect.FindingID, allowed []audit.ClusterID) (detect.Finding, error)
}

// Options are what the API works with.
type Options struct {
	Events      Events
	Findings    Findings
	Blindness   Blindness
	DeadLetters DeadLetters

	// Unseal returns what is sealed in a dead letter. Its error wraps
	// query.ErrSealed where the letter cannot be opened, and says why and what to
	// do.
	Unseal func(query.SealedLetter) ([]byte, error)

	// Access records a read of evidence, after the search and before the answer.
	// An error withholds the answer: what cannot be recorded is not read.
	// Default: LogAccess.
	Access func(context.Context, AccessRecord) error

	Logger     *slog.Logger
	Registerer prometheus.Registerer
	Clock      func() time.Time // of relative times and records
}

// API answers requests. It is safe for concurrent use.
type API struct {
	options  Options
	limits   Limits
	keys     *keyring
	refusals *refusals
	metrics  *metrics
	slots    chan struct{} // one entry for each request that is worked on
	mux      *http.ServeMux
	huma     huma.API
}

// New makes the API of a configuration that is complete and valid (see
// Config.SetDefaults and Config.Validate).
func New(c Config, o Options) (*API, error) {
	if o.Access == nil {
		o.Access = LogAccess(o.Logger)
	}
	if len(c.Principals) == 0 {
		return nil, errors.New("api.principals: there are none: nobody could ask")
	}
	keys, err := newKeyring(c.Principals, o.Clock, o.Logger)
	if err != nil {
		return nil, err
	}
	metrics, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	a := &API{
		options:  o,
		limits:   c.Limits,
		keys:     keys,
		refusals: newRefusals(o.Clock, o.Logger),
		metrics:  metrics,
		slots:    make(chan struct{}, c.Limits.Requests),
		mux:      http.NewServeMux(),
	}
	a.huma = humago.New(a.mux, humaConfig())
	a.routes()
	return a, a.serveOpenAPI()
}

// filterWords say what all filters have in common.
const filterWords = "A filter that is given more than once selects what equals any of its values; a value that ends in * selects by prefix. " +
	"Without filters: all that the principal may see. To read on, repeat the request with the cursor that next holds."

const blindWords = "A filter that is given more than once selects what equals any of its values; a value that ends in * selects by prefix. " +
	"There are no pages: where total says that there is more than the answer holds, filters show the rest."

// humaConfig is huma's own, without its pages: every path here is behind a
// token, and the document has one address.
func humaConfig() huma.Config {
	config := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:       "Klaxon API",
				Version:     "1",
				Description: "What happened on the Kubernetes API servers, and what was found. Every string of an event is what a client sent: escape it before you show it.",
			},
			Components: &huma.Components{
				Schemas:         schemas(),
				SecuritySchemes: map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer"}},
			},
			Security: []map[string][]string{{"token": {}}},
		},
		Formats:       map[string]huma.Format{"application/json": jsonFormat(), "json": jsonFormat()},
		DefaultFormat: "application/json",
	}
	config.AllowAdditionalPropertiesByDefault = true // later versions add members
	return config
}

// jsonFormat is huma's own, with what acts on a terminal or hides there escaped:
// people look at answers with curl.
func jsonFormat() huma.Format {
	return huma.Format{
		Marshal: func(w io.Writer, v any) error {
			var text bytes.Buffer
			if err := huma.DefaultJSONFormat.Marshal(&text, v); err != nil {
				return err
			}
			_, err := w.Write(output.AppendJSON(make([]byte, 0, text.Len()), text.Bytes()))
			return err
		},
		Unmarshal: huma.DefaultJSONFormat.Unmarshal,
	}
}

func (a *API) routes() {
	register(a, huma.Operation{
		OperationID: "search-events", Path: Base + "/events",
		Summary:     "Search audit events",
		Description: "Events that pass every filter, newest first. " + filterWords,
		Parameters:  document(eventParams()),
	}, RoleViewer, a.searchEvents)
	register(a, huma.Operation{
		OperationID: "get-event", Path: Base + "/events/{id}",
		Summary: "Get one audit event",
	}, RoleViewer, a.getEvent)
	register(a, huma.Operation{
		OperationID: "search-findings", Path: Base + "/findings",
		Summary:     "Search findings",
		Description: "Findings that pass every filter, each as it was last revised, the one that was seen last first. " + filterWords,
		Parameters:  document(findingParams()),
	}, RoleViewer, a.searchFindings)
	register(a, huma.Operation{
		OperationID: "get-finding", Path: Base + "/findings/{id}",
		Summary: "Get one finding",
	}, RoleViewer, a.getFinding)
	register(a, huma.Operation{
		OperationID: "search-blindness", Path: Base + "/blindness",
		Summary: "Say which rules could not see what, where, since when, and what would let them",
		Description: "Where rules could not tell whether events met their conditions, as those do not hold what the conditions depend on: " +
			"the most frequent first, of all that passes every filter. " + blindWords,
		Parameters: document(blindnessParams()),
	}, RoleViewer, a.searchBlindness)
	register(a, huma.Operation{
		OperationID: "search-dead-letters", Path: Base + "/deadletters",
		Summary:     "Search dead letters: what came in and could not be read",
		Description: "Dead letters that pass every filter, without what they hold, the one received last first. " + filterWords,
		Parameters:  document(deadLetterParams()),
	}, RoleAnalyst, a.searchDeadLetters)
	register(a, huma.Operation{
		OperationID: "open-dead-letter", Path: Base + "/deadletters/{id}",
		Summary:     "Open one dead letter",
		Description: "The letter with what it holds, which could not be redacted: it may hold secrets. It takes the role admin.",
	}, RoleAdmin, a.openDeadLetter)
	register(a, huma.Operation{
		OperationID: "whoami", Path: Base + "/whoami",
		Summary: "Say whom the token stands for",
	}, RoleViewer, a.whoami)
}

// register adds a GET route for principals of at least a role. Whatever handler
// returns as an error becomes a problem document.
func register[I, O any](a *API, op huma.Operation, least Role, handler func(context.Context, *request, *I) (*O, error)) {
	op.Method = http.MethodGet
	op.SkipValidateParams = true // parse is stricter, and says more
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		r := requestOf(ctx)
		r.operation = op.OperationID
		if r.principal.Role.rank() < least.rank() {
			return nil, a.problem(r, forbidden("%s has the role %s: this takes the role %s", r.principal.Name, r.principal.Role, least))
		}
		out, err := handler(ctx, r, in)
		if err != nil {
			return nil, a.problem(r, err)
		}
		return out, nil
	})
}

// problem makes err the answer. What is the server's own fault is logged.
func (a *API) problem(r *request, err error) *Problem {
	p := problemOf(err)
	switch {
	case p.Status == http.StatusForbidden:
		a.refuse(r.address, r.principal.Name, reasonForbidden)
	case p.Status == http.StatusInternalServerError:
		a.options.Logger.Error("a request to the API failed", "operation", r.operation, "principal", r.principal.Name, "err", err)
	}
	return p
}

// serveOpenAPI serves the document, which does not change any more.
func (a *API) serveOpenAPI() error {
	document, err := json.MarshalIndent(a.huma.OpenAPI(), "", "  ")
	if err != nil {
		return fmt.Errorf("api: OpenAPI document: %w", err)
	}
	document = append(document, '\n')
	a.mux.HandleFunc("GET "+Base+"/openapi.json", func(w http.ResponseWriter, r *http.Request) {
		requestOf(r.Context()).operation = "openapi"
		w.Header().Set("Content-Type", "application/openapi+json")
		_, _ = w.Write(document) // who has gone away needs no answer
	})
	a.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeProblem(w, http.StatusNotFound, fmt.Sprintf("there is no %s %s: GET %s/openapi.json lists what there is", r.Method, r.URL.Path, Base))
	})
	return nil
}
