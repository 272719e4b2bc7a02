package embedded

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// watchInterval is how often a server that is not our child is looked at; here that is reading one small file.
const watchInterval = 100 * time.Millisecond

// capDACReadSearch lets a process read and search what file modes forbid it.
const capDACReadSearch = 2

// processAttributes sets the process apart: its own group, so that Ctrl-C reaches us alone and we stop it in order; its
// own user; and its end when we end, however that happens. trespass lets it search directories closed to that user.
func processAttributes(a account, trespass bool) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGINT}
	if a.drop {
		attr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)} //nolint:gosec // the system gave them
	}
	if trespass {
		attr.AmbientCaps = []uintptr{capDACReadSearch}
	}
	return attr
}

const canTrespass = true

// isPostmaster reports whether the process serves the data, and is not one that got the number of a dead postmaster.
// The command line tells, as /proc shows it to everybody; a zombie has none.
func isPostmaster(pid int, pgdata string) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return false
	}
	args := bytes.Split(line, []byte{0})
	at := slices.IndexFunc(args, func(arg []byte) bool { return string(arg) == "-D" })
	if filepath.Base(string(args[0])) != "postgres" || at < 0 || at+1 == len(args) {
		return false
	}
	return sameFile(string(args[at+1]), pgdata)
}
