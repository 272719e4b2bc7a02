//go:build unix && !linux

package embedded

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// watchInterval is how often a server that is not our child is looked at; here that starts a process.
const watchInterval = time.Second

// processAttributes sets the process apart: its own group, so that Ctrl-C reaches us alone and we stop it in order, and
// its own user. It outlives us if we crash; the next owner adopts it.
func processAttributes(a account, _ bool) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if a.drop {
		attr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	return attr
}

const canTrespass = false

// isPostmaster reports whether the process serves the data, and is not one that got the number of a dead postmaster.
func isPostmaster(pid int, pgdata string) bool {
	line, err := exec.Command("ps", "-ww", "-o", "args=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && strings.Contains(string(line), "postgres") && strings.Contains(string(line), pgdata)
}
