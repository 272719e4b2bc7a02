// Package embedded runs a real Postgres that belongs to Roster alone: for `make run` on a machine where nobody has set
// DATABASE_URL, and for tests.
//
// [Start] opens a data directory and returns a running server. It finds the binaries (binaries.go) or downloads them
// (download.go), runs initdb if the directory is new and starts postgres (launch.go), as another user if we are root,
// because Postgres refuses to run as root (account.go). The server listens on a Unix socket in a directory only its
// user may enter, so trusting whoever connects is safe, and nothing is opened to the network.
//
// A directory has one owner at a time: the process that holds the flock on roster.lock. It starts the server and stops
// it. Others that come meanwhile join it. An owner that crashes takes its server with it on Linux; elsewhere, and if
// someone started a server by hand, the next owner adopts what it finds running.
//
// [Acquire] gives a test a database of its own, cloned from a template in some 20 ms, on a throw-away server that lives
// as long as the test process.
package embedded
