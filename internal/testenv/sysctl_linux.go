// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Sysctl is a kernel parameter of the namespace, by its path below /proc/sys. One that is missing ends the test.
func (n *Namespace) Sysctl(t testing.TB, key string) string {
	t.Helper()
	var value []byte
	var err error
	n.Run(t, func() { value, err = os.ReadFile(filepath.Join("/proc/sys", key)) })
	if err != nil {
		t.Fatalf("kernel parameter: %v", err)
	}
	return strings.TrimSpace(string(value))
}

// SetSysctl changes a kernel parameter of the namespace, by its path below /proc/sys.
func (n *Namespace) SetSysctl(t testing.TB, key, value string) {
	t.Helper()
	var err error
	n.Run(t, func() { err = os.WriteFile(filepath.Join("/proc/sys", key), []byte(value), 0) })
	if err != nil {
		t.Fatalf("kernel parameter: %v", err)
	}
}
