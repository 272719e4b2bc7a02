// Package load fills a directory: from a file of groups (Import), with a small organisation to play with (Demo), or with as many
// groups, users and memberships as a load test needs (Seed).
//
// Import and Demo go through the directory's own methods, a transaction for each group, so that every rule holds and the change
// log tells of all of it. Seed goes past them, into the tables, because a million memberships would take the directory an hour;
// what it writes obeys the same constraints, and db/seed.go says how.
//
// # The format
//
// A file is JSON Lines: UTF-8, one object a line, blank lines left out of account. Its keys are name, which is required, handle,
// description, externalId, accessType and folderOwner (strings), public and useDefaultStorage (booleans), tags (an object of
// strings), members and admins (arrays of user names; a user not yet known is created). A key that is absent leaves alone what
// there is; null clears a description, an externalId, a folderOwner and tags; a list of people is the whole list.
//
// A record is imported whole or not at all. One that is bad is named by file, line and field, and the next one goes on; so is
// one that has the name, handle or externalId of an earlier one, since each run would undo the other's work.
package load
