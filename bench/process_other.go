//go:build !linux

package main

import (
	"os/exec"
	"syscall"
	"time"
)

func endWithParent(cmd *exec.Cmd) {}

func runAs(cmd *exec.Cmd, uid, gid int) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}

// Without /proc there are no processor times: the table has a dash for them.
func cpuOf(int) (d time.Duration, parent int, ok bool) { return 0, 0, false }

func cpuOfChildren(int) map[int]time.Duration { return nil }
