//go:build roster_pprof

package main

import (
	"fmt"
	"net/http"
	_ "net/http/pprof" // its handlers
	"os"
)

// This file is built into Roster, not into the benchmark: see profile.go. Nothing of Roster calls it, so it begins by itself.
func init() {
	go func() {
		fmt.Fprintln(os.Stderr, http.ListenAndServe(os.Getenv("ROSTER_PPROF_ADDR"), nil))
	}()
}
