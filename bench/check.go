package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"

	"github.com/jackc/pgx/v5"
)

// checked is how many requests of a workload have their answers compared before it is timed.
const checked = 50

// cursors are the fields whose values are each server's own business, as long as there is one.
var cursors = map[string]bool{"cursor": true, "startCursor": true, "endCursor": true}

var versions = regexp.MustCompile(`"version":[0-9]+`)

// alike reports how two answers differ; nil if they are equal but for cursors.
func alike(a, b []byte) error {
	var x, y any
	if err := json.Unmarshal(a, &x); err != nil {
		return fmt.Errorf("%w: %.300s", err, a)
	}
	if err := json.Unmarshal(b, &y); err != nil {
		return fmt.Errorf("%w: %.300s", err, b)
	}
	if !reflect.DeepEqual(blanked(x), blanked(y)) {
		return fmt.Errorf("answers differ:\n%.2000s\n%.2000s", a, b)
	}
	return nil
}

// blanked has a mark in the place of every cursor that there is.
func blanked(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			if text, ok := inner.(string); cursors[k] && ok && text != "" {
				v[k] = "…"
			} else {
				v[k] = blanked(inner)
			}
		}
	case []any:
		for i := range v {
			v[i] = blanked(v[i])
		}
	}
	return v
}

// sameReads sends requests to both and compares the answers.
func sameReads(a, b *side) error {
	if err := a.connect(); err != nil {
		return err
	}
	defer a.disconnect()
	if err := b.connect(); err != nil {
		return err
	}
	defer b.disconnect()
	for i := range min(checked, len(a.scripts)) {
		for k := range a.scripts[i].requests {
			x, err := answer(a, a.scripts[i].requests[k])
			if err != nil {
				return err
			}
			y, err := answer(b, b.scripts[i].requests[k])
			if err != nil {
				return err
			}
			if err := alike(x, y); err != nil {
				return err
			}
		}
	}
	return nil
}

func answer(s *side, request []byte) ([]byte, error) {
	status, body, err := s.clients[0].do(request)
	if err != nil || status != 200 || !bytes.HasPrefix(body, good) {
		return nil, fmt.Errorf("%s answers %d (%v): %.500s", s.name, status, err, body)
	}
	return bytes.Clone(body), nil
}

// trace is what a write to one member leaves in the database, but for ids, times and places in the log.
const trace = `SELECT jsonb_build_object(
	'member', (SELECT to_jsonb(m) - 'id' - 'added_at' FROM members m WHERE group_id = $1 AND user_id = $2),
	'group', (SELECT to_jsonb(g) - 'version' - 'updated_at' FROM groups g WHERE id = $1),
	'touched', (SELECT updated_at = (SELECT max(at) FROM changes WHERE group_id = $1) FROM groups WHERE id = $1),
	'changes', (SELECT jsonb_agg(to_jsonb(c) - 'tx' - 'seq' - 'at' - 'request_id' || jsonb_build_object('request', length(request_id)) ORDER BY tx, seq)
		FROM changes c WHERE group_id = $1 AND tx > $3::text::xid8))::text`

// sameWrites has both make the same changes, one after the other, and compares what they answer and what they leave behind.
// It returns how many writes that took.
func sameWrites(ctx context.Context, c *pgx.Conn, pairs []pair, a, b [][2][]byte, sa, sb *side) (n int, err error) {
	for _, s := range []*side{sa, sb} {
		if err := s.connect(); err != nil {
			return n, err
		}
		defer s.disconnect()
	}
	for i := range min(checked, len(pairs)) {
		var answers, traces [2][2]string
		for k, s := range []*side{sa, sb} {
			for step, request := range [][2][]byte{a[i], b[i]}[k] {
				var at string
				if err := c.QueryRow(ctx, "SELECT c.tx::text FROM changes c ORDER BY c.tx DESC LIMIT 1").Scan(&at); err != nil {
					return n, err
				}
				body, err := answer(s, request)
				if err != nil {
					return n, err
				}
				n++
				answers[k][step] = versions.ReplaceAllString(string(body), `"version":0`)
				if err := c.QueryRow(ctx, trace, pairs[i].group, pairs[i].user, at).Scan(&traces[k][step]); err != nil {
					return n, err
				}
			}
		}
		for step := range 2 {
			if err := alike([]byte(answers[0][step]), []byte(answers[1][step])); err != nil {
				return n, err
			}
			if err := alike([]byte(traces[0][step]), []byte(traces[1][step])); err != nil {
				return n, fmt.Errorf("what is left in the database: %w", err)
			}
		}
	}
	return n, nil
}
