// SPDX-License-Identifier: Apache-2.0

package rtnl_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A discarded link is found by nobody and has nothing that others could use, until it is reaped together with all of its kind,
// and nothing else.
func TestDiscard(t *testing.T) {
	t.Parallel()
	c, ns, _ := connect(t)
	const bridges = 6 // more than there are groups
	for i := range bridges {
		name := fmt.Sprintf("br%d", i)
		require.NoError(t, c.AddBridge(rtnl.NewLink{Name: name, MAC: [6]byte{2, 0, 0, 0, 0, byte(i)}}, rtnl.BridgeOptions{}))
		require.NoError(t, c.SetLink(name, rtnl.Change{Up: true}))
	}
	ns.Output(t, "ip", "link", "add", "va", "type", "veth", "peer", "name", "vb")
	ns.Output(t, "ip", "link", "set", "va", "master", "br0", "up")
	ns.Output(t, "ip", "link", "set", "vb", "group", "7", "up")
	for _, prefix := range []string{"192.168.7.1/24", "192.168.7.2/24", "192.168.8.1/32", "2001:db8::1/64"} {
		ns.Output(t, "ip", "addr", "add", prefix, "dev", "br0", "nodad")
	}
	ports, err := c.Ports(link(t, c, "br0").Index)
	require.NoError(t, err)
	require.Len(t, ports, 1)
	require.Equal(t, "va", ports[0].Name)
	ports, err = c.Ports(link(t, c, "br1").Index)
	require.NoError(t, err)
	require.Empty(t, ports)

	bridge := link(t, c, "br0")
	require.NoError(t, c.Discard(link(t, c, "va")))
	require.NoError(t, c.Discard(bridge))
	for _, name := range []string{"va", "br0"} {
		_, err := c.Link(name)
		require.ErrorIs(t, err, fs.ErrNotExist)
		text := ns.Output(t, "ip", "addr", "show", "dev", name)
		require.Contains(t, text, "state DOWN")
		require.NotContains(t, text, "inet")
		require.NotContains(t, text, "master")
	}
	require.Empty(t, ns.Output(t, "ip", "route", "show", "table", "all", "192.168.7.1"), "nobody answers there")
	all, err := c.Links()
	require.NoError(t, err)
	require.Len(t, all, 1+bridges-1+1, "lo, the other bridges and vb")
	kind, err := c.LinksOfKind("bridge")
	require.NoError(t, err)
	require.Len(t, kind, bridges-1)
	require.ErrorIs(t, c.AddBridge(rtnl.NewLink{Name: "br0", MAC: [6]byte{2, 1}}, rtnl.BridgeOptions{}), fs.ErrExist, "the name is not free yet")

	for i := 1; i < bridges-1; i++ {
		require.NoError(t, c.Discard(link(t, c, fmt.Sprintf("br%d", i))))
	}
	found, err := c.Reap()
	require.NoError(t, err)
	require.True(t, found)
	left := ns.Output(t, "ip", "-o", "link", "show")
	require.Equal(t, 2, strings.Count(left, "\n"), left) // vb goes with its other end
	require.Contains(t, left, fmt.Sprintf("br%d:", bridges-1))
	found, err = c.Reap()
	require.NoError(t, err)
	require.False(t, found)
	require.ErrorIs(t, c.Discard(bridge), fs.ErrNotExist)
}

// What the kernel cannot remove is said.
func TestReapFails(t *testing.T) {
	t.Parallel()
	c, ns, _ := connect(t)
	ns.Output(t, "ip", "link", "set", "lo", "group", "1986946048")
	_, err := c.Link("lo")
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = c.Reap()
	require.ErrorIs(t, err, unix.EOPNOTSUPP)
	require.ErrorContains(t, err, "remove what was discarded")
}

func link(t *testing.T, c *rtnl.Conn, name string) rtnl.Link {
	t.Helper()
	l, err := c.Link(name)
	require.NoError(t, err)
	return l
}
