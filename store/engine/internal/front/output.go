package front

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go/compress"

	"github.com/klaxon-dev/klaxon/store/engine/internal/chdb"
)

const (
	// frameData is how much of a result goes into one compressed frame, bytes.
	frameData = 1 << 20
	// resultPatience is how long a client may take nothing of its result.
	resultPatience = 5 * time.Minute
	// maxException bounds the text of an exception, bytes.
	maxException = 8 << 10
)

// output writes a result, compressed if the client asked for it.
type output struct {
	w       http.ResponseWriter
	control *http.ResponseController
	frames  *compress.Writer // nil: as it is
	tag     string           // marks an exception within the result
	started bool             // the status has been sent
}

func newOutput(w http.ResponseWriter, req *request) *output {
	o := &output{w: w, control: http.NewResponseController(w), tag: rand.Text()[:16]}
	switch req.compress {
	case "LZ4":
		o.frames = compress.NewWriter(compress.LevelZero, compress.LZ4)
	case "ZSTD":
		o.frames = compress.NewWriter(compress.LevelZero, compress.ZSTD)
	case "NONE":
		o.frames = compress.NewWriter(compress.LevelZero, compress.None)
	}
	header := w.Header()
	header.Set("Content-Type", "application/octet-stream")
	header.Set("X-ClickHouse-Timezone", "UTC")
	header.Set("X-ClickHouse-Format", req.format)
	header.Set("X-ClickHouse-Exception-Tag", o.tag)
	if req.queryID != "" {
		header.Set("X-ClickHouse-Query-Id", req.queryID)
	}
	return o
}

// Write sends a piece of the result.
func (o *output) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		piece := rest[:min(len(rest), frameData)]
		rest = rest[len(piece):]
		if err := o.send(piece); err != nil {
			return len(p) - len(rest), err
		}
	}
	return len(p), nil
}

func (o *output) send(piece []byte) error {
	if o.frames != nil {
		if err := o.frames.Compress(piece); err != nil {
			return err
		}
		piece = o.frames.Data
	}
	o.started = true
	_ = o.control.SetWriteDeadline(time.Now().Add(resultPatience))
	_, err := o.w.Write(piece)
	return err
}

// fail reports err: by the status while nothing has been sent, otherwise by an
// exception block at the end of the result.
func (o *output) fail(err error) {
	if !o.started {
		fail(o.w, err)
		return
	}
	text := exceptionText(err)
	fmt.Fprintf(o.w, "\r\n__exception__\r\n%s\r\n%s\n%d %s\r\n__exception__\r\n", o.tag, text, len(text)+1, o.tag)
}

// fail answers with an exception.
func fail(w http.ResponseWriter, err error) {
	code, header := exceptionCode(err), w.Header()
	header.Set("Content-Type", "text/plain; charset=UTF-8")
	header.Set("X-ClickHouse-Exception-Code", strconv.Itoa(code))
	if code == 516 {
		header.Set("WWW-Authenticate", `Basic realm="engine"`)
	}
	w.WriteHeader(status(code))
	fmt.Fprintln(w, exceptionText(err))
}

func exceptionCode(err error) int {
	var exception *chdb.Error
	if errors.As(err, &exception) {
		return exception.Code
	}
	return 1001
}

func exceptionText(err error) string {
	text := err.Error()
	var exception *chdb.Error
	if !errors.As(err, &exception) {
		text = chdb.NewError(1001, "STD_EXCEPTION", "%v", err).Text
	}
	if len(text) > maxException {
		text = strings.ToValidUTF8(text[:maxException], "") + "…"
	}
	return text
}

// status is the HTTP status of an exception, as a ClickHouse server chooses it.
func status(code int) int {
	switch code {
	case 516, 497:
		return http.StatusForbidden
	case 60, 81, 46, 115: // unknown table, database, function, setting
		return http.StatusNotFound
	case 6, 26, 27, 33, 36, 38, 41, 42, 43, 47, 53, 62, 72, 130, 456: // syntax, types, unreadable values
		return http.StatusBadRequest
	case 307:
		return http.StatusRequestEntityTooLarge
	case 202:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}
