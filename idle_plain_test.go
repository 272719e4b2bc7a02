//go:build !race

package main

// idleBytes bounds what an idle connection holds; 21 kB are measured.
const idleBytes = 28 << 10
