package front

import (
	"errors"
	"net/http"

	"github.com/klaxon-dev/klaxon/store/engine/internal/chdb"
)

// ping says whether the engine answers, beside all statements that run: it takes
// none of their places. One ping asks at a time; the others wait, so that an
// engine that hangs holds no more than one of them.
func (f *Front) ping(w http.ResponseWriter, r *http.Request) {
	select {
	case f.pinging <- struct{}{}:
		defer func() { <-f.pinging }()
	case <-r.Context().Done():
		return
	}
	if err := f.answers(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("Ok.\n"))
}

// answers waits for an answer of the engine. An exception is one: it lives.
func (f *Front) answers() error {
	conn, err := f.engine.Connect()
	if err != nil {
		return err
	}
	defer conn.Close()
	result, err := conn.Query("SELECT 1", "TSV", nil)
	var exception *chdb.Error
	if errors.As(err, &exception) {
		return nil
	}
	if err != nil {
		return err
	}
	result.Release()
	return nil
}
