// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/testenv"
)

// TestStationOnKernel does with the kernel, in a namespace, what people do: each call is a program of its own, which
// finds what the others left.
func TestStationOnKernel(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.NeedProgram(t, "dnsmasq")
	testenv.NeedProgram(t, "nft")
	t.Parallel()
	ns := testenv.New(t)
	before := ns.Snapshot(t)
	dir := t.TempDir()
	do := func(want int, verb string, args ...string) string {
		t.Helper()
		all := append([]string{verb, "--netns", ns.Path(), "--state", filepath.Join(dir, "state"), "--run-dir", filepath.Join(dir, "run")}, args...)
		out, errs, status := station{}.at(t, all...)
		require.Equal(t, want, status, errs)
		return out
	}
	do(0, "up", sample("lan.xml"))
	do(0, "attach", "--guest", "web", sample("web.xml"))
	do(0, "check")
	var lines []networkLine
	require.NoError(t, json.Unmarshal([]byte(do(0, "list", "--json")), &lines))
	require.Len(t, lines, 1)
	require.Equal(t, "active", lines[0].State)
	require.Contains(t, do(0, "graph", "--format", "svg"), "vnet0")

	ns.Output(t, "ip", "link", "del", "virbr7")
	ns.Output(t, "nft", "delete", "table", "inet", "virtnet")
	out := do(1, "check")
	require.Contains(t, out, `device-lost network "lan" link virbr7`)
	require.Contains(t, out, "link set vnet0 master virbr7")
	require.Equal(t, 1, exit(t, ns, "ip", "link", "show", "virbr7"), "looking changes nothing")
	do(0, "repair")
	require.Equal(t, "all is as it was built\n", do(0, "check"))
	require.Contains(t, ns.Output(t, "ip", "link", "show", "master", "virbr7"), "vnet0")

	do(1, "down", "--idle", "lan")
	do(0, "detach", "vnet0")
	do(0, "down", "--idle", "--undefine", "lan")
	require.Contains(t, do(0, "list"), "NETWORK")
	ns.Unchanged(t, before, "after all of it")
}

// exit is the exit status of a command in a namespace.
func exit(t *testing.T, ns *testenv.Namespace, name string, args ...string) int {
	t.Helper()
	command := ns.Command(t.Context(), name, args...)
	_ = command.Run()
	return command.ProcessState.ExitCode()
}
