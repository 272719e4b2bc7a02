package main

import (
	"context"
	"io"
)

func (o options) grow(ctx context.Context, p *postgres, ps programs, progress io.Writer) error {
	return nil
}
