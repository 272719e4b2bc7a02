package graph_test

import (
	"context"
	"testing"

	"roster/db"
)

func TestZZ(t *testing.T) {
	a := organised(t, db.Options{OnStatement: func(_ context.Context, s string) { t.Logf("%.120s", s) }})
	t.Log(a.try(t, a.token, `mutation UnknownByIdIsNotCreated { addMembers(input: {group: {name: "Archive"}, users: [{username: "fresh"}, {number: 99}], onUnknownUser: CREATE}) { outcomes{result} } }`, nil))
	t.Log("-----")
	t.Log(a.try(t, a.token, `mutation { addMembers(input: {group: {name: "Archive"}, users: [{username: "dan"}, {username: "ghost"}], onUnknownUser: CREATE, dryRun: true}) { outcomes{result} } }`, nil))
}
