// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// SkipMark stands before the reason of every test that was skipped.
const SkipMark = "SKIP-REASON: "

// Skip ends a test that cannot run here, and says why.
func Skip(t testing.TB, format string, args ...any) {
	t.Helper()
	t.Skip(SkipMark + fmt.Sprintf(format, args...))
}

// RingVar is the environment variable that is "3" on a machine that has everything, see package vmtest.
const RingVar = "VIRTNET_RING"

// Lack ends a test that needs what the kernel or the machine does not have, and says what that is. The test is skipped, or
// fails on a machine that should have everything.
func Lack(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv(RingVar) == "3" {
		t.Fatalf("a machine that should have everything: "+format, args...)
	}
	Skip(t, format, args...)
}

// NeedRoot skips a test, see [Lack], unless it runs as root, with the right to make network namespaces.
func NeedRoot(t testing.TB) {
	t.Helper()
	if uid := os.Geteuid(); uid != 0 {
		Lack(t, "needs root, and runs as user %d", uid)
	}
	if err := mayUnshare(); err != nil {
		Lack(t, "needs the right to make network namespaces: %v", err)
	}
}

// NeedProgram skips a test, see [Lack], unless a program is on the machine.
func NeedProgram(t testing.TB, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		Lack(t, "needs the program %s", name)
	}
}

// needFile skips a test unless a file is on the machine, and names the Debian package that has it.
func needFile(t testing.TB, file, name string) {
	t.Helper()
	if !exists(file) {
		Skip(t, "needs %s of the Debian package %s", file, name)
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
