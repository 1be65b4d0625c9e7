package api

import (
	"context"
	"log/slog"
	"time"
)

// AccessRecord says who read which evidence, and when.
type AccessRecord struct {
	Time      time.Time
	Principal string
	Role      Role
	Address   string // of the client
	Operation string // as in the OpenAPI document: "search-events"
	Filters   string // the query string, normalised, and the id of the path
	Status    int    // of the answer
	Rows      int    // how many events or findings it holds
}

// LogAccess returns a recorder that writes to the log.
func LogAccess(logger *slog.Logger) func(context.Context, AccessRecord) error {
	return func(ctx context.Context, r AccessRecord) error {
		logger.LogAttrs(ctx, slog.LevelInfo, "evidence was read",
			slog.Time("at", r.Time), slog.String("principal", r.Principal), slog.String("role", string(r.Role)),
			slog.String("address", r.Address), slog.String("operation", r.Operation), slog.String("filters", r.Filters),
			slog.Int("status", r.Status), slog.Int("rows", r.Rows))
		return nil
	}
}
