package front

import (
	"strings"

	"github.com/ClickHouse/ch-go/proto"
)

// helloQuery is what clickhouse-go asks first on a connection.
const helloQuery = "SELECT displayName(), version(), revision(), timezone()"

// hello reports whether the request is clickhouse-go's first one.
func (req *request) hello() bool {
	return req.data == nil && req.protocol > 0 && strings.TrimSpace(req.statement) == helloQuery
}

// writeHello answers the hello query with revision 0. The engine writes Native
// blocks of revision 0 whatever the client asks for, and the client reads all
// blocks after this one by the revision that this one names. This one itself
// is read by the revision that the client has announced.
func writeHello(out *output, protocol int, version string) error {
	var name, versions, zone proto.ColStr
	var revision proto.ColUInt32
	name.Append("klaxon")
	versions.Append(version)
	revision.Append(0)
	zone.Append("UTC")
	columns := proto.Input{
		{Name: "displayName()", Data: &name},
		{Name: "version()", Data: &versions},
		{Name: "revision()", Data: &revision},
		{Name: "timezone()", Data: &zone},
	}
	block := proto.Block{Info: proto.BlockInfo{BucketNum: -1}, Columns: len(columns), Rows: 1}
	var buf proto.Buffer
	if err := block.EncodeBlock(&buf, protocol, columns); err != nil {
		return err
	}
	_, err := out.Write(buf.Buf)
	return err
}
