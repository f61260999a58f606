// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestUpLeavesOut starts networks of which not everything can be done: what was left out is said, with the reason.
func TestUpLeavesOut(t *testing.T) {
	s, _ := inMemory(t)
	file := filepath.Join(t.TempDir(), "net.xml")
	up := func(name, more string) (errs string) {
		t.Helper()
		document := `<network><name>` + name + `</name><bridge name='` + name + `'/><domain name='lab.example' localOnly='yes' register='yes'/>` + more + `</network>`
		require.NoError(t, os.WriteFile(file, []byte(document), 0o600))
		out, errs, status := s.at(t, "up", file)
		require.Zero(t, status, out+errs)
		require.Contains(t, out, "active")
		return errs
	}
	require.Equal(t, "virtnet: network \"named\" runs without what was left out: /network/domain/@register: resolver dns named 10.8.1.1 domain ~lab.example: the resolver does not run: unsupported operation\n",
		up("named", `<ip address='10.8.1.1' prefix='24'/>`))
	require.Equal(t, "virtnet: network \"silent\" runs without what was left out: /network/domain/@register: there is nobody to ask for the names: /network/dns/@enable is no\n",
		up("silent", `<dns enable='no'/><ip address='10.8.2.1' prefix='24'/>`))
}
