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

// NeedRoot skips a test unless it runs as root, with the right to make network namespaces.
func NeedRoot(t testing.TB) {
	t.Helper()
	if uid := os.Geteuid(); uid != 0 {
		Skip(t, "needs root, and runs as user %d", uid)
	}
	if err := mayUnshare(); err != nil {
		Skip(t, "needs the right to make network namespaces: %v", err)
	}
}

// NeedProgram skips a test unless a program is on the machine.
func NeedProgram(t testing.TB, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		Skip(t, "needs the program %s", name)
	}
}
