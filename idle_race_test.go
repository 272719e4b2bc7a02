//go:build race

package main

// idleBytes bounds what an idle connection holds in a build that the race detector watches.
const idleBytes = 96 << 10
