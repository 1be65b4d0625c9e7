package front

import (
	"errors"
	"io"

	"github.com/klaxon-dev/klaxon/store/engine/internal/chdb"
)

// execute runs the statement and writes its result.
func execute(conn *chdb.Conn, req *request, out *output) error {
	switch {
	case req.data != nil:
		return insert(conn, req)
	case req.streams():
		return stream(conn, req, out)
	default:
		return materialise(conn, req, out)
	}
}

// stream sends the pieces of a result as they come.
func stream(conn *chdb.Conn, req *request, out *output) error {
	s, err := conn.Stream(req.statement, req.format, req.params)
	if err != nil {
		return err
	}
	defer s.Close()
	for {
		piece, err := s.Next()
		if err != nil || piece == nil {
			return err
		}
		_, err = out.Write(piece.Bytes())
		piece.Release()
		if err != nil {
			return err
		}
	}
}

// materialise sends a result that is complete.
func materialise(conn *chdb.Conn, req *request, out *output) error {
	result, err := conn.Query(req.statement, req.format, req.params)
	if err != nil {
		return err
	}
	defer result.Release()
	_, err = out.Write(result.Bytes())
	return err
}

// insertPiece is how much of an insert's data is handed over at once, bytes.
const insertPiece = 256 << 10

// insert feeds the body to the engine and commits it when it has come to its
// end; of a body that breaks off nothing stays.
func insert(conn *chdb.Conn, req *request) error {
	statement, format := splitInsert(req.statement)
	i, err := conn.Insert(statement, format, req.params)
	if err != nil {
		return err
	}
	defer i.Close()
	buf := make([]byte, insertPiece)
	for {
		n, err := req.data.Read(buf)
		if n > 0 {
			if _, err := i.Write(buf[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			_, err := i.Commit()
			return err
		}
		if err != nil {
			return badData(err)
		}
	}
}

// splitInsert cuts the format off a statement that insertTail matches.
func splitInsert(statement string) (insert, format string) {
	m := insertTail.FindStringSubmatch(statement)
	if m[2] == "" {
		return m[1], "Values"
	}
	return m[1], m[2]
}
