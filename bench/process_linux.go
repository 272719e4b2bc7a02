package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

func endWithParent(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true // Ctrl-C reaches the benchmark alone, which ends the others in order
	cmd.SysProcAttr.Pdeathsig = syscall.SIGINT
}

// capDACReadSearch lets Postgres reach its data below a directory of root's.
const capDACReadSearch = 2

func runAs(cmd *exec.Cmd, uid, gid int) {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential:  &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)},
		AmbientCaps: []uintptr{capDACReadSearch},
	}
}

// tick is the unit of the times in /proc/PID/stat: a hundredth of a second wherever Go runs.
const tick = time.Second / 100

// cpuOf is how long a process has been on a processor, and its parent; false if it is gone.
func cpuOf(pid int) (d time.Duration, parent int, ok bool) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, 0, false
	}
	// The name in brackets may hold anything; behind it come state, parent, …, and as 12th and 13th user and system time.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, 0, false
	}
	parent, _ = strconv.Atoi(string(fields[1]))
	user, _ := strconv.Atoi(string(fields[11]))
	system, _ := strconv.Atoi(string(fields[12]))
	return time.Duration(user+system) * tick, parent, true
}

// cpuOfChildren is the same for each process that the given one started.
func cpuOfChildren(pid int) map[int]time.Duration {
	times := map[int]time.Duration{}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		child, _ := strconv.Atoi(filepath.Base(dir))
		if d, parent, ok := cpuOf(child); ok && parent == pid {
			times[child] = d
		}
	}
	return times
}
