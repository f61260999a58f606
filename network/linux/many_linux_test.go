// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/linux"
)

// Whoever opens the store where networks run compares what is there and leaves it alone: a rule that was written again would
// have another handle, a link another index, and a server another process.
func TestOpenRewritesNothing(t *testing.T) {
	t.Parallel()
	testenv.NeedProgram(t, "dnsmasq")
	testenv.NeedProgram(t, "nft")
	testenv.NeedRoot(t)
	ns := testenv.New(t)
	config := linux.Config{Namespace: ns.Path(), RunDir: filepath.Join(t.TempDir(), "run")}
	before := ns.Snapshot(t)
	b, err := linux.Open(config)
	require.NoError(t, err)
	store := network.Memory()
	nets, err := network.Open(t.Context(), b, store)
	require.NoError(t, err)
	var names []string
	for k := range 12 { // more than are read one by one
		n := startDocument(t, k, k < 2)
		require.NoError(t, nets.Define(t.Context(), n))
		names = append(names, n.Name)
	}
	require.NoError(t, nets.StartMany(t.Context(), names...))
	require.NoError(t, b.Close())
	look := func() string {
		return ns.Output(t, "nft", "-a", "list", "ruleset") + ns.Output(t, "ip", "-o", "addr")
	}
	running := look()
	servers := serverFolders(t, config)
	require.Len(t, servers, 2)

	b, err = linux.Open(config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	nets, err = network.Open(t.Context(), b, store)
	require.NoError(t, err)
	require.Equal(t, running, look())
	require.Equal(t, servers, serverFolders(t, config))
	for _, name := range names {
		require.NoError(t, nets.Stop(t.Context(), name))
	}
	ns.Unchanged(t, before, "stopped by another")
}

// serverFolders are what is written down of the processes that serve.
func serverFolders(t *testing.T, config linux.Config) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(config.RunDir, "*", "process.json"))
	require.NoError(t, err)
	processes := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		processes[file] = string(text)
	}
	return processes
}
