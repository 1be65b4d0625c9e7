package front

import (
	"io"
	"net/http"
	"time"
)

// bodyPatience is how long a client may send nothing of its body.
const bodyPatience = time.Minute

// patient reads a body and gives up on a client that sends nothing.
type patient struct {
	body    io.Reader
	control *http.ResponseController
}

func newPatient(w http.ResponseWriter, body io.Reader) *patient {
	return &patient{body, http.NewResponseController(w)}
}

func (p *patient) Read(b []byte) (int, error) {
	_ = p.control.SetReadDeadline(time.Now().Add(bodyPatience))
	n, err := p.body.Read(b)
	if err != nil {
		_ = p.control.SetReadDeadline(time.Time{}) // the server goes on to watch the connection
	}
	return n, err
}

// bounded fails after limit bytes of decoded body.
type bounded struct {
	body  io.Reader
	limit int64
	read  int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if b.read += int64(n); b.read > b.limit {
		return 0, errTooLarge(b.limit)
	}
	return n, err
}
