package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
)

const (
	settle  = time.Second // until the API server has written what it still had to say
	noise   = 12          // events of the control plane that a recording keeps,
	small   = 2 << 10     // of those of so many bytes at most
	newFile = 0o644
)

// scene is what somebody does, under the name of its recording.
type scene struct {
	name string
	play func(context.Context, *lab) error
}

// record plays a scene and writes what was recorded meanwhile.
func (l *lab) record(ctx context.Context, s scene, file string) error {
	before, err := os.Stat(l.cluster.AuditLog)
	if err != nil {
		return err
	}
	if err := s.play(ctx, l); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(settle):
	}
	log, err := os.ReadFile(l.cluster.AuditLog)
	if err != nil {
		return err
	}
	events, err := cut(log[before.Size():])
	if err != nil {
		return err
	}
	return os.WriteFile(file, events, newFile)
}

// cut keeps what people and service accounts did, and a little of what the
// control plane did meanwhile. What prepared the scene is no part of it.
func cut(log []byte) ([]byte, error) {
	var kept bytes.Buffer
	rest := noise
	for line := range bytes.Lines(log) {
		var e audit.Event
		if err := audit.Scan(bytes.TrimSpace(line), &e); err != nil {
			return nil, fmt.Errorf("audit log: %w", err)
		}
		actor := e.Actor()
		switch {
		case actor.Name == adminName:
			continue
		case actor.Controller || actor.Kind == audit.ActorNode || strings.HasPrefix(actor.Name, "system:kube-"):
			if len(line) > small || rest == 0 {
				continue
			}
			rest--
		}
		kept.Write(line)
	}
	return kept.Bytes(), nil
}
