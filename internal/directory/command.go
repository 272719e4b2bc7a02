package directory

import "context"

// command is a write as its input says it.
type command interface {
	check(by Caller) error // what can be told without asking Postgres
	run(w *write) error
}

// do runs a command as a write of its own.
func (s *Service) do(ctx context.Context, by Caller, dryRun bool, c command, sel Selection) (*Payload, error) {
	if err := c.check(by); err != nil {
		p, _, err := s.unlessDone(ctx, by, dryRun, err)
		return p, err
	}
	return s.write(ctx, by, dryRun, sel, c.run)
}
