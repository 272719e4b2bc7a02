package directory_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"roster/internal/directory"
)

// lives reports whether a secret opens the door; where it does not, whatever the reason, the answer is the same.
func (w *world) lives(secret string) bool {
	w.t.Helper()
	_, err := w.AuthenticateNow(w.t.Context(), secret)
	if e := directory.AsError(err); err != nil && (e.Code != directory.Unauthenticated || e.Message != "The token is unknown, expired or revoked.") { // its cause is for the log
		w.t.Errorf("authentication fails with %v", err)
	}
	return err == nil
}

// later lets time pass for all tokens, by moving their times into the past.
func (w *world) later(d time.Duration) {
	w.t.Helper()
	w.exec(`UPDATE tokens SET expires_at = expires_at - $1::text::interval, previous_until = previous_until - $1::text::interval,
		last_used_at = last_used_at - $1::text::interval`, d.String())
}

func TestTokensDie(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		kill func(w *world)
	}{
		{"revoked", func(w *world) {
			w.did(w.RevokeToken(t.Context(), w.as("ann"), directory.RevokeTokenInput{Token: w.tokenNamed("key")}, nothing))
		}},
		{"rotated", func(w *world) {
			w.did(w.RotateToken(t.Context(), w.as("ann"), directory.RotateTokenInput{Token: w.tokenNamed("key")}, nothing))
		}},
		{"expired", func(w *world) { w.exec(`UPDATE tokens SET expires_at = now() WHERE description = 'key'`) }},
		{"its user deleted", func(w *world) {
			w.did(w.AddAdmins(t.Context(), w.root(), directory.AddAdminsInput{Group: directory.GroupByName("castle"), Users: named("boss")}, nothing))
			w.did(w.DeleteUser(t.Context(), w.root(), directory.DeleteUserInput{User: *named("ann")[0]}, nothing))
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := fortress(t)
			w.t = t
			key := w.keyOf("ann", "key", directory.PermissionGroupsView)
			if !w.lives(key) {
				t.Fatal("it is born dead")
			}
			row.kill(w)
			if w.lives(key) {
				t.Error("it still works")
			}
		})
	}
}

func TestGroupTokensDieWithTheGroup(t *testing.T) {
	t.Parallel()
	w := fortress(t)
	hut := directory.GroupByName("hut")
	key := w.did(w.CreateToken(t.Context(), w.root(), directory.CreateTokenInput{Group: &hut}, nothing)).Secret
	w.did(w.DeleteGroup(t.Context(), w.root(), directory.DeleteGroupInput{Group: hut, DryRun: true}, nothing))
	if !w.lives(key) {
		t.Error("a dry run killed it")
	}
	w.did(w.DeleteGroup(t.Context(), w.root(), directory.DeleteGroupInput{Group: hut}, nothing))
	if w.lives(key) {
		t.Error("it outlives its group")
	}
}

// TestRightsAreReadAnew: what a user may no longer do, its tokens may not either, from then on.
func TestRightsAreReadAnew(t *testing.T) {
	t.Parallel()
	w := fortress(t)
	key := w.keyOf("mia", "key", directory.Permissions...)
	if !w.with(key).Can(directory.PermissionMembersEdit) {
		t.Fatal("a MANAGER's token may not edit members")
	}
	w.did(w.UpdateUser(t.Context(), w.root(), directory.UpdateUserInput{User: *named("mia")[0], Roles: directory.Optional[[]directory.Role]{Set: true}}, nothing))
	if got := w.with(key).Effective(); len(got) != 0 {
		t.Errorf("without the role it may %v", got)
	}
	castle := directory.GroupByName("castle")
	admin := w.keyOf("ann", "admin's", directory.Permissions...)
	w.did(w.SetMembers(t.Context(), w.root(), directory.SetMembersInput{Group: castle, Admins: named("eve")}, nothing))
	_, err := w.UpdateGroup(t.Context(), w.with(admin), directory.UpdateGroupInput{Group: castle, Description: directory.Some("x")}, nothing)
	if failure(err) != directory.NotFound {
		t.Errorf("who is an admin no longer gets %v", err)
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	w := fortress(t)
	rotate := func(overlap int) string {
		return w.did(w.RotateToken(t.Context(), w.root(), directory.RotateTokenInput{Token: w.tokenNamed("key"), OverlapSeconds: overlap}, nothing)).Secret
	}
	check := func(when string, want map[string]bool) {
		t.Helper()
		for secret, lives := range want {
			if w.lives(secret) != lives {
				t.Errorf("%s: %s… lives: %t, want %t", when, secret[:8], !lives, lives)
			}
		}
	}
	a := w.keyOf("ann", "key", directory.PermissionGroupsView)
	b := rotate(3600)
	check("within the overlap", map[string]bool{a: true, b: true})
	w.later(50 * time.Minute)
	check("still within", map[string]bool{a: true, b: true})
	w.later(10 * time.Minute)
	check("after the overlap", map[string]bool{a: false, b: true})
	c := rotate(60)
	d := rotate(60)
	check("rotated twice: there is one old secret at most", map[string]bool{a: false, b: false, c: true, d: true})
	e := rotate(0)
	check("without an overlap", map[string]bool{c: false, d: false, e: true})
	f := rotate(600)
	w.did(w.RevokeToken(t.Context(), w.root(), directory.RevokeTokenInput{Token: w.tokenNamed("key")}, nothing))
	check("revoked within the overlap", map[string]bool{e: false, f: false})
	_, err := w.RotateToken(t.Context(), w.root(), directory.RotateTokenInput{Token: w.tokenNamed("key")}, nothing)
	if failure(err) != directory.Conflict {
		t.Errorf("a revoked token is rotated: %v", err)
	}
}

func TestLives(t *testing.T) {
	t.Parallel()
	w := fortress(t)
	year := time.Now().AddDate(1, 0, 0)
	for _, row := range []struct {
		expiration directory.TokenExpiration
		at         *time.Time
		life       time.Duration // 0: without end
	}{
		{directory.TokenExpirationSession, nil, time.Hour},
		{directory.TokenExpirationDaily, nil, 24 * time.Hour},
		{directory.TokenExpirationPersistent, nil, 0},
		{directory.TokenExpirationCustom, &year, time.Until(year)},
	} {
		key := w.did(w.CreateToken(t.Context(), w.root(), directory.CreateTokenInput{Expiration: &row.expiration, ExpiresAt: row.at, Description: ptr("a " + string(row.expiration))}, nothing)).Secret
		if row.life == 0 {
			w.later(100 * 365 * 24 * time.Hour)
			if !w.lives(key) {
				t.Errorf("%s ended", row.expiration)
			}
			continue
		}
		w.later(row.life - time.Minute)
		if !w.lives(key) {
			t.Errorf("%s ended before its time", row.expiration)
		}
		w.later(time.Minute)
		if w.lives(key) {
			t.Errorf("%s lives longer than %s", row.expiration, row.life)
		}
	}
	// A new secret is a new life, but of a token that was given an end; what is over stays over.
	session := func(overlap int) string {
		return w.did(w.RotateToken(t.Context(), w.root(), directory.RotateTokenInput{Token: w.tokenNamed("young"), OverlapSeconds: overlap}, nothing)).Secret
	}
	old := w.did(w.CreateToken(t.Context(), w.root(), directory.CreateTokenInput{Description: ptr("young")}, nothing)).Secret
	w.later(30 * time.Minute)
	fresh := session(3600)
	w.later(29 * time.Minute)
	if !w.lives(old) || !w.lives(fresh) {
		t.Error("a rotated SESSION does not live on")
	}
	w.later(time.Minute)
	if w.lives(old) || !w.lives(fresh) {
		t.Error("the old secret outlives what it was, or the new one does not live anew")
	}
	w.later(time.Hour)
	for _, over := range []string{"a SESSION", "a CUSTOM", "young"} {
		if _, err := w.RotateToken(t.Context(), w.root(), directory.RotateTokenInput{Token: w.tokenNamed(over)}, nothing); failure(err) != directory.Conflict {
			t.Errorf("%s, whose time is over, is rotated: %v", over, err)
		}
	}
}

// TestLongestLife: policy bounds how long new tokens live, and rotated ones; those that there are live on, as does the operator's own.
func TestLongestLife(t *testing.T) {
	t.Parallel()
	const most = 10 * 24 * time.Hour
	w := fortress(t)
	bounded := directory.New(directory.Config{Store: w.store, TokenKey: []byte(oldKey), MaxTokenLife: most})
	unbounded := w.keyOf("ann", "old", directory.PermissionGroupsView)
	create := func(e directory.TokenExpiration, in time.Duration) error {
		of := directory.CreateTokenInput{Expiration: &e, Description: ptr("new " + string(e))}
		if in != 0 {
			at := time.Now().Add(in)
			of.ExpiresAt = &at
		}
		_, err := bounded.CreateToken(t.Context(), w.root(), of, nothing)
		return err
	}
	for _, row := range []struct {
		expiration directory.TokenExpiration
		in, life   time.Duration // life: to the minute
	}{
		{directory.TokenExpirationSession, 0, time.Hour},
		{directory.TokenExpirationDaily, 0, 24 * time.Hour},
		{directory.TokenExpirationPersistent, 0, most},
		{directory.TokenExpirationCustom, most - time.Minute, most - time.Minute},
	} {
		if err := create(row.expiration, row.in); err != nil {
			t.Errorf("%s: %v", row.expiration, err)
		}
		if got := w.text(`SELECT round(extract(epoch FROM expires_at - created_at) / 60)::text FROM tokens WHERE description = $1`,
			"new "+string(row.expiration)); got != fmt.Sprint(int(row.life/time.Minute)) {
			t.Errorf("%s lives for %s minutes, want %s", row.expiration, got, row.life)
		}
	}
	e := directory.AsError(create(directory.TokenExpirationCustom, most+time.Minute))
	if e.Code != directory.Invalid || e.Field != "input.expiresAt" || !strings.Contains(e.Message, most.String()) {
		t.Errorf("beyond the bound: %v", e)
	}
	if !w.lives(unbounded) || w.text(`SELECT coalesce(expires_at::text, 'never') FROM tokens WHERE description = 'old'`) != "never" {
		t.Error("a token that was there before ends")
	}
	for _, id := range []string{w.tokenNamed("old"), w.tokenNamed("The first administrator")} {
		w.did(bounded.RotateToken(t.Context(), w.root(), directory.RotateTokenInput{Token: id}, nothing))
	}
	if got := w.text(`SELECT count(*) FROM tokens WHERE description IN ('old', 'The first administrator') AND expires_at - now() BETWEEN '9 days' AND '10 days'`); got != "2" {
		t.Errorf("%s of two rotated tokens are bounded", got)
	}
}

func TestLastUseIsCoalesced(t *testing.T) {
	t.Parallel()
	w := fortress(t)
	key := w.keyOf("ann", "key", directory.PermissionGroupsView)
	used := func() string { return w.text(`SELECT last_used_at::text FROM tokens WHERE description = 'key'`) }
	if used() != "" {
		t.Error("a new token was used")
	}
	w.with(key)
	first := used()
	if first == "" {
		t.Fatal("the use is not written")
	}
	w.with(key)
	if used() != first {
		t.Error("the use is written twice within a minute")
	}
	w.later(30 * time.Second)
	moved := used()
	if w.with(key); used() != moved {
		t.Error("the use is written anew after half a minute")
	}
	w.later(31 * time.Second)
	moved = used()
	if w.with(key); used() == moved {
		t.Error("the use is not written anew after a minute")
	}
	w.did(w.RotateToken(t.Context(), w.root(), directory.RotateTokenInput{Token: w.tokenNamed("key")}, nothing))
	if used() == "" {
		t.Error("rotation forgets the last use")
	}
}

func TestFirstAdministrator(t *testing.T) {
	t.Parallel()
	ensure := func(w *world, configured string) string {
		t.Helper()
		secret, err := w.EnsureAdmin(t.Context(), configured)
		if err != nil {
			t.Fatal(err)
		}
		return secret
	}
	one, two := strings.Repeat("1", 24), strings.Repeat("2", 24)
	t.Run("made once and told once", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.exec(`DELETE FROM tokens; DELETE FROM users; DELETE FROM changes`)
		secret := ensure(w, "")
		if by := w.with(secret); by.User.Username != "admin" || !by.Can(directory.PermissionTokensEdit) {
			t.Errorf("got %+v", by)
		}
		before := w.dump()
		if again := ensure(w, ""); again != "" || w.dump() != before {
			t.Errorf("the second start changes something, and tells %q", again)
		}
	})
	t.Run("configured", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		if told := ensure(w, one); told != "" || !w.lives(one) {
			t.Errorf("told %q", told)
		}
		before := w.dump()
		if ensure(w, one); w.dump() != before {
			t.Error("the second start changes something")
		}
		if ensure(w, ""); !w.lives(one) {
			t.Error("left out, it is over")
		}
		if ensure(w, two); w.lives(one) || !w.lives(two) {
			t.Error("replaced, the old one lives or the new one does not")
		}
		if n := w.text(`SELECT count(*) FROM users WHERE username_key LIKE 'admin%'`); n != "1" {
			t.Errorf("there are %s administrators", n)
		}
		if _, err := w.EnsureAdmin(t.Context(), one); err == nil {
			t.Error("a token that was replaced comes back")
		}
		key := w.keyOf("admin", "somebody's", directory.PermissionGroupsView)
		if _, err := w.EnsureAdmin(t.Context(), key); err == nil {
			t.Error("somebody's own token becomes the administrator's")
		}
	})
	t.Run("the name is taken", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.exec(`DELETE FROM tokens; UPDATE users SET roles = '{}'`)
		secret := ensure(w, "")
		if by := w.with(secret); by.User.Username != "admin-2" {
			t.Errorf("the administrator is %s", by.User.Username)
		}
		if roles := w.text(`SELECT roles::text FROM users WHERE username = 'admin'`); roles != "{}" {
			t.Errorf("an ordinary user was promoted to %s", roles)
		}
	})
}
