package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// profilerTag is the build tag of pprof.go, which is no file of the benchmark's: the go command is told that it lies in Roster's
// package main. The Roster that people run has no profiler and no endpoint for one.
const profilerTag = "roster_pprof"

// profiler writes the overlay for the go command.
func profiler(dir string) (string, error) {
	from, err := filepath.Abs("pprof.go")
	if err != nil {
		return "", err
	}
	to, err := filepath.Abs("../pprof_of_bench.go")
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]any{"Replace": map[string]string{to: from}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, text, 0o644)
}

// profile writes a processor profile of Roster to a file while it is under load.
func profile(ctx context.Context, addr, file string, d time.Duration) error {
	url := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", addr, max(1, int(d.Seconds())))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the profiler answers %s", resp.Status)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, resp.Body); err != nil {
		return err
	}
	return f.Close()
}
