package auth

import (
	"context"
	"log/slog"

	"roster/internal/directory"
)

// RecordDenial writes down that somebody was refused, and why, where err is a refusal: who may do what is the one kind of failure that an
// operator is asked about. It is for where errors leave. The client hears no more than it did.
func RecordDenial(ctx context.Context, log *slog.Logger, by directory.Caller, err error) {
	d := directory.Reason(err)
	if d == nil {
		return
	}
	log.LogAttrs(ctx, slog.LevelInfo, "denied",
		slog.String("request_id", RequestIDOf(ctx)),
		slog.String("caller", NameOf(by)),
		slog.String("door", string(by.Via)),
		slog.String("code", string(directory.CodeOf(err))),
		slog.String("operation", string(d.Operation)),
		slog.String("rule", d.Rule),
		slog.Any("because", d.Because))
}

// NameOf names a caller as the change log does; "" is nobody.
func NameOf(by directory.Caller) string {
	switch {
	case by.User != nil:
		return by.User.Username
	case by.Token != nil:
		return by.Token.Prefix
	}
	return ""
}
