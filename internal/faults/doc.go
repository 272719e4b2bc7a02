// Package faults breaks what Roster stands on while it is under load, and keeps a ledger: what was sent, what was acknowledged, what
// is there afterwards, what is lost, which is nothing, and what is half done, which is nothing. `make faults` runs it: it builds the
// program, kills it and its Postgres, cuts the network between them, fills a disk, and needs to be root for the latter.
//
// `make observed` (observed_*_test.go) looks at the program under such a load as operators do: through Prometheus, the dashboard and traces.
package faults
