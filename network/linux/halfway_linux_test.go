// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// An operation of several messages that fails in the middle leaves nothing. The kernel takes no mark of this length,
// and says so only when the link is there already; Check, which would refuse it, is not asked here.
func TestFailureHalfWay(t *testing.T) {
	testenv.NeedRoot(t)
	ns, guest := testenv.New(t), testenv.New(t)
	b, err := Open(Config{Namespace: ns.Path()})
	require.NoError(t, err)
	defer b.Close()
	long := strings.Repeat("x", 300)
	mac := host.MAC{2, 0, 0, 0, 0, 1}
	ns.Output(t, "ip", "link", "add", "lower", "address", "02:00:00:00:00:09", "type", "bridge")
	before, guestBefore := ns.Snapshot(t), guest.Snapshot(t)
	for _, c := range []struct {
		name string
		do   func() error
	}{
		{"bridge", func() error { return b.addBridge(host.AddBridge{Link: "new", MAC: mac, Owner: long, MTU: 1500}) }},
		{"tap", func() error { return b.addTap(host.AddTap{Link: "new", MAC: mac, Owner: long}, birth{}) }},
		{"tap with an address that is none", func() error { return b.addTap(host.AddTap{Link: "new", MAC: host.MAC{1}}, birth{}) }},
		{"tap larger than taps are", func() error { return b.addTap(host.AddTap{Link: "new", MAC: mac, MTU: 65535}, birth{}) }},
		{"veth", func() error {
			return b.addVeth(host.AddVeth{Link: "new", MAC: mac, Owner: long, Peer: "eth0", PeerMAC: mac, Namespace: guest.Path()}, birth{})
		}},
		{"macvlan", func() error {
			return b.addMacvlan(host.AddMacvlan{Link: "new", MAC: mac, Owner: long, Lower: "lower", Mode: "bridge", Namespace: guest.Path()})
		}},
		{"macvlan in mode passthru", func() error {
			return b.addMacvlan(host.AddMacvlan{Link: "new", MAC: mac, Owner: long, Lower: "lower", Mode: host.Passthru, Was: host.MAC{2, 0, 0, 0, 0, 9}, Namespace: guest.Path()})
		}},
	} {
		err := c.do()
		require.Error(t, err, c.name)
		require.NotErrorIs(t, err, fs.ErrExist, c.name)
		ns.Unchanged(t, before, "after "+c.name)
		guest.Unchanged(t, guestBefore, "after "+c.name)
	}
}

// A link that a foreign hand removed, or put another in its place, in the middle of an operation is left alone.
func TestFinishLeavesForeignLinks(t *testing.T) {
	testenv.NeedRoot(t)
	ns := testenv.New(t)
	b, err := Open(Config{Namespace: ns.Path()})
	require.NoError(t, err)
	defer b.Close()
	mac := host.MAC{2, 0, 0, 0, 0, 1}
	ns.Output(t, "ip", "link", "add", "br0", "address", "02:00:00:00:00:02", "type", "bridge")
	before := ns.Snapshot(t)
	err = b.finish("br0", host.Bridge, mac, rtnl.Change{Alias: strings.Repeat("x", 300)})
	require.ErrorIs(t, err, unix.ERANGE)
	require.ErrorIs(t, err, fs.ErrNotExist)
	ns.Unchanged(t, before, "in the end")
}
