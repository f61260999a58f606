// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestServerGivesUpRoot: dnsmasq answers guests as another user than root, with no more than what its sockets take.
func TestServerGivesUpRoot(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	do(t, p.Backend, serve4())
	pids := p.pids(t)
	require.Len(t, pids, 1)
	status := processStatus(t, pids[0])
	for _, id := range strings.Fields(status["Uid"]) {
		require.NotEqual(t, "0", id, "real, effective, saved and for files")
	}
	const needed = 1<<unix.CAP_NET_BIND_SERVICE | 1<<unix.CAP_NET_ADMIN | 1<<unix.CAP_NET_RAW
	var has uint64
	_, err := fmt.Sscanf(status["CapPrm"], "%x", &has)
	require.NoError(t, err)
	require.Zero(t, has&^needed, "%x", has)
	require.NotZero(t, has)
}

// processStatus is what the kernel says of a process, by the words of /proc/PID/status.
func processStatus(t testing.TB, pid int) map[string]string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	status := map[string]string{}
	for line := range strings.Lines(string(text)) {
		word, value, _ := strings.Cut(line, ":")
		status[word] = strings.TrimSpace(value)
	}
	return status
}
