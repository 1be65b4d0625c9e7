package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/fetch"
)

// The library unpacks whatever an answer says it holds, and takes a record's time
// from whoever wrote it. So answers are taken as bytes, and batch.go reads them.

const (
	// fetchVersion is the version of the request: brokers speak it since Kafka 2.3.
	fetchVersion = 11
	// maxAnswer bounds an answer, bytes: the first batch comes whole, however large.
	maxAnswer = 256 << 20
)

// fetchRequest asks for the batches of one partition. Its answer is a *fetched.
type fetchRequest struct{ *fetch.Request }

var (
	_ protocol.BrokerMessage = fetchRequest{}
	_ protocol.RawExchanger  = fetchRequest{}
)

// fetched is what a broker answered.
type fetched struct {
	err     error // of the broker
	end     int64 // of the partition
	batches []byte
}

// ApiKey implements protocol.Message.
func (f *fetched) ApiKey() protocol.ApiKey { return protocol.Fetch } //nolint:revive // the library calls it so

// Required implements protocol.RawExchanger.
func (fetchRequest) Required(map[protocol.ApiKey]int16) bool { return true }

// RawExchange implements protocol.RawExchanger.
func (r fetchRequest) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	const id = 1 // a connection has one request at a time
	if err := protocol.WriteRequest(rw, fetchVersion, id, clientID, r.Request); err != nil {
		return nil, err
	}
	answer, err := readAnswer(rw)
	if err != nil {
		return nil, err
	}
	p := parser{rest: answer}
	if got := p.int32(); got != id {
		return nil, fmt.Errorf("the broker's answer is to request %d, not to %d", got, id)
	}
	return p.fetched()
}

// readAnswer reads an answer without its length, which is not believed before the
// bytes have come.
func readAnswer(r io.Reader) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	n := int64(int32(binary.BigEndian.Uint32(length[:])))
	if n < 0 || n > maxAnswer {
		return nil, fmt.Errorf("the broker's answer would have %d bytes", n)
	}
	answer, err := readUpTo(io.LimitReader(r, n), int(min(n, fetchBytes+1<<16)))
	if err == nil && int64(len(answer)) < n {
		err = io.ErrUnexpectedEOF
	}
	return answer, err
}

// fetched reads the rest of an answer that is about one partition.
func (p *parser) fetched() (*fetched, error) {
	p.skip(4) // throttle time
	if code := p.int16(); code != 0 {
		return &fetched{err: kafka.Error(code)}, p.err
	}
	p.skip(4) // session
	topics := p.int32()
	p.skip(int(p.int16())) // name
	partitions := p.int32()
	p.skip(4) // id
	f := &fetched{}
	if code := p.int16(); code != 0 {
		f.err = kafka.Error(code)
	}
	f.end = p.int64()
	p.skip(8 + 8) // last stable offset, start of the log
	if aborted := int(p.int32()); aborted > 0 {
		p.skip(aborted * (8 + 8))
	}
	p.skip(4) // preferred replica
	if n := int(p.int32()); n > 0 {
		f.batches = p.bytes(n)
	}
	if p.err == nil && (topics != 1 || partitions != 1) {
		return nil, fmt.Errorf("the broker's answer is about %d topics and %d partitions", topics, partitions)
	}
	return f, p.err
}

// fetch asks the leader for what there is from an offset on.
func (l *Log) fetch(ctx context.Context, topic string, partition int, from int64) (*fetched, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	request := fetchRequest{&fetch.Request{
		ReplicaID: -1, MaxWaitTime: int32(fetchWait / time.Millisecond), MinBytes: 1, MaxBytes: fetchBytes, SessionID: -1, SessionEpoch: -1,
		Topics: []fetch.RequestTopic{{Topic: l.config.Topic(topic), Partitions: []fetch.RequestPartition{{
			Partition: int32(partition), CurrentLeaderEpoch: -1, FetchOffset: from, LogStartOffset: -1, PartitionMaxBytes: fetchBytes,
		}}}},
	}}
	answer, err := l.transport.RoundTrip(ctx, l.client.Addr, request)
	if err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	f := answer.(*fetched)
	return f, f.err
}

// errCutShort is the error of a parser that came to the end too early.
var errCutShort = errors.New("the broker's answer is cut short")

// parser reads what is in memory. After an error it returns zeros.
type parser struct {
	rest []byte
	err  error
}

// bytes returns the next n bytes. They share the parser's memory.
func (p *parser) bytes(n int) []byte {
	if n < 0 || n > len(p.rest) {
		p.err, p.rest = errCutShort, nil
		return nil
	}
	b := p.rest[:n:n]
	p.rest = p.rest[n:]
	return b
}

func (p *parser) skip(n int) { p.bytes(n) }

func (p *parser) int16() int16 {
	if b := p.bytes(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (p *parser) int32() int32 {
	if b := p.bytes(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (p *parser) int64() int64 {
	if b := p.bytes(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// varint reads a number in the form that records have.
func (p *parser) varint() int64 {
	n, size := binary.Varint(p.rest)
	if size <= 0 {
		p.err, p.rest = errCutShort, nil
		return 0
	}
	p.rest = p.rest[size:]
	return n
}

// field reads bytes behind their length; nil where it is negative.
func (p *parser) field() []byte {
	n := p.varint()
	if n < 0 || p.err != nil {
		return nil
	}
	if n > int64(len(p.rest)) {
		p.err, p.rest = errCutShort, nil
		return nil
	}
	return p.bytes(int(n))
}
