// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Programs lists the processes inside the namespace as "PID NAME", in the order of their numbers.
func (n *Namespace) Programs(t testing.TB) []string {
	t.Helper()
	var list []string
	for _, pid := range n.pids(t) {
		name, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "comm"))
		list = append(list, strconv.Itoa(pid)+" "+strings.TrimSpace(string(name)))
	}
	return list
}

func (n *Namespace) pids(t testing.TB) []int {
	t.Helper()
	var own unix.Stat_t
	if err := unix.Fstat(int(n.file.Fd()), &own); err != nil {
		t.Fatalf("network namespace: %v", err)
	}
	files, _ := filepath.Glob("/proc/[0-9]*/ns/net")
	var pids []int
	for _, file := range files {
		var other unix.Stat_t
		// A process that has ended in the meantime is not inside.
		if unix.Stat(file, &other) != nil || other.Dev != own.Dev || other.Ino != own.Ino {
			continue
		}
		if pid, err := strconv.Atoi(strings.Split(file, "/")[2]); err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids
}

// endPrograms kills what a test left running inside its namespace. Nothing else can be in there.
func (n *Namespace) endPrograms(t testing.TB) {
	for _, program := range n.Programs(t) {
		t.Logf("still running in the test's network namespace: %s", program)
	}
	for _, pid := range n.pids(t) {
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue
		}
		if slices.Contains(n.pids(t), pid) {
			_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		}
		unix.Close(fd)
	}
}
