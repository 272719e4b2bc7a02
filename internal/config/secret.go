package config

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a text that shows nothing of itself but whether it is set, however it is printed, encoded or logged.
type Secret string

// Reveal is the text, for whoever needs it.
func (s Secret) Reveal() string { return string(s) }

func (s Secret) String() string {
	if s == "" {
		return "(not set)"
	}
	return "(set)"
}

// Format keeps every verb of package fmt from the text.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText keeps encoders from the text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue keeps loggers from the text.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
