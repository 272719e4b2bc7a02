// Package alldoors has no code: it is where the five doors and GraphQL are tested together, over one directory.
//
//	crossdoor_test.go   random writes through one way in, read back through all of them (model, operations, views)
//	errors_test.go      every code of the directory in every system's envelope
//	openapi_test.go     the document of all doors against routes and recorded answers
//	badinput_test.go    what no client should send, to every route
//	mount_test.go       doors switched off, below a prefix, behind a host name
//
// The table of what each door shows, in views_test.go, is the one in docs/doors.md: a test compares them.
package alldoors
