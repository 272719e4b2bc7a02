package directory

import "testing"

func TestPasswordsInSettings(t *testing.T) {
	t.Parallel()
	const stored = `{"image":"go","password":"secret","nested":{"Password":"deep","list":[{"password":"listed"}]},"count":1.5}`
	const shown = `{"count":1.5,"image":"go","nested":{"Password":"**********","list":[{"password":"**********"}]},"password":"**********"}`
	if got := string(masked([]byte(stored))); got != shown {
		t.Errorf("masked: %s, want %s", got, shown)
	}
	const kept = `{"count":1.5,"image":"go","nested":{"Password":"deep","list":[{"password":"listed"}]},"password":"secret"}`
	if got := string(unmasked([]byte(shown), []byte(stored))); got != kept {
		t.Errorf("written back: %s, want %s", got, kept)
	}
	const changed = `{"password":"new"}`
	if got := string(unmasked([]byte(changed), []byte(stored))); got != changed {
		t.Errorf("a new password: %s, want %s", got, changed)
	}
	if masked(nil) != nil || unmasked(nil, []byte(stored)) != nil {
		t.Error("no settings became some")
	}
}
