// SPDX-License-Identifier: Apache-2.0

package nft

import (
	"io/fs"
	"testing"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/stretchr/testify/require"
)

// What a connection remembers does not count when somebody else was at it.
func TestMemory(t *testing.T) {
	c, ns := connect(t)
	before := ns.Snapshot(t)
	f, g, moved := natNetwork("n1", "br0"), natNetwork("n2", "br1"), natNetwork("n1", "br2")
	ways := []struct {
		name    string
		meddle  func()
		f, was  host.Filter
		err     error
		recalls bool
	}{
		{"first", func() {}, f, host.Filter{}, nil, false},
		{"second", func() {}, g, host.Filter{}, nil, true},
		{"replace", func() {}, moved, f, nil, true},
		{"exists", func() {}, f, host.Filter{}, fs.ErrExist, true},
		{"link of another", func() {}, natNetwork("n3", "br1"), host.Filter{}, fs.ErrExist, true},
		{"delete", func() {}, host.Filter{}, moved, nil, true},
		{"not there", func() {}, host.Filter{}, moved, fs.ErrNotExist, false},
		{"delete the last", func() {}, host.Filter{}, g, nil, true},
		{"none there", func() {}, host.Filter{}, g, fs.ErrNotExist, false},
		{"first again", func() {}, f, host.Filter{}, nil, true},
		{"flushed and added", func() { ns.Output(t, "nft", "flush", "ruleset") }, f, host.Filter{}, nil, true},
		{"flushed and deleted", func() { ns.Output(t, "nft", "flush", "ruleset") }, host.Filter{}, f, fs.ErrNotExist, true},
		{"added after that", func() {}, f, host.Filter{}, nil, false},
		{"deleted by another and added", func() { set(t, connectTo(t, ns), host.Filter{}, f) }, f, host.Filter{}, nil, true},
		{"another uses the table", func() { set(t, connectTo(t, ns), g, host.Filter{}) }, host.Filter{}, f, nil, true},
		{"another's filter", func() {}, host.Filter{}, g, nil, false},
	}
	for _, w := range ways {
		_, recalled := c.memory.view(host.SetFilter{Network: max(w.f.Network, w.was.Network), Filter: w.f, Was: w.was})
		require.Equal(t, w.recalls, recalled, w.name)
		w.meddle()
		snapshot := ""
		if w.err != nil {
			snapshot = ns.Snapshot(t)
		}
		err := c.SetFilter(t.Context(), host.SetFilter{Network: max(w.f.Network, w.was.Network), Filter: w.f, Was: w.was})
		require.ErrorIs(t, err, w.err, w.name)
		if w.err != nil {
			require.Equal(t, snapshot, ns.Snapshot(t), w.name)
			continue
		}
		// What is remembered is what there is.
		v, err := c.socket.look("n1")
		require.NoError(t, err)
		require.Equal(t, v.generation, c.memory.generation, w.name)
		require.Equal(t, v.table, c.memory.table, w.name)
		got := map[string]string{}
		for _, f := range get(t, c) {
			got[f.Network] = f.Link
		}
		for network, link := range c.memory.links {
			require.Equal(t, link, got[network], w.name)
		}
	}
	require.Equal(t, before, ns.Snapshot(t))
}
