// Package directory is Roster's domain: its nouns, its rules, its transactions.
//
// Every way in, GraphQL and the legacy doors alike, calls the methods of Service and nothing below it. Each method takes
// the Caller, so that no door can forget who asks; each write is one transaction that locks what it changes, authorises
// on the locked rows (access.go), changes them, appends its Change rows and answers from inside the transaction, which is
// how a dry run can show what it would have done.
//
// Reads are planned (read.go): a Selection says what is wanted of each object and of the objects below it; the directory
// adds what the caller may see; db runs it in one statement for each list of the selection, however many rows there are.
//
// The package knows no HTTP, no GraphQL library and no SQL.
package directory
