// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"io/fs"
	"testing"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
	"github.com/stretchr/testify/require"
)

var (
	bridgeMAC = host.MAC{0x52, 0x54, 0, 0, 0, 1}
	tapMAC    = host.MAC{0xfe, 0x54, 0, 0, 0, 1}
)

// do carries out operations that have to succeed.
func do(t testing.TB, b *linux.Backend, ops ...host.Op) {
	t.Helper()
	for _, op := range ops {
		require.NoError(t, b.Do(t.Context(), op), op.String())
	}
}

// refuse carries out an operation that has to fail with that error and leave no trace.
func refuse(t testing.TB, b *linux.Backend, ns *testenv.Namespace, want error, op host.Op) error {
	t.Helper()
	before := ns.Snapshot(t)
	err := b.Do(t.Context(), op)
	require.ErrorIs(t, err, want, op.String())
	ns.Unchanged(t, before, "after the refused "+op.String())
	return err
}

func TestAddBridge(t *testing.T) {
	t.Parallel()
	b, ns := open(t)
	before := ns.Snapshot(t)
	add := host.AddBridge{Link: "virbr0", MAC: bridgeMAC, Owner: `net "a" {1}`, MTU: 9000, STP: true, ForwardDelay: 300}
	do(t, b, add)
	got := ns.Output(t, "ip", "-d", "link", "show", "virbr0")
	for _, want := range []string{
		"<BROADCAST,MULTICAST> mtu 9000", "state DOWN", "qlen 1000", "link/ether 52:54:00:00:00:01",
		"bridge forward_delay 300 ", " stp_state 1 ", " bridge_id 8000.52:54:0:0:0:1", `alias net "a" {1}`,
	} {
		require.Contains(t, got, want)
	}
	refuse(t, b, ns, fs.ErrExist, add)
	other := add
	other.MAC[5]++
	refuse(t, b, ns, fs.ErrNotExist, other.Inverse())
	do(t, b, add.Inverse())
	ns.Unchanged(t, before, "in the end")
	refuse(t, b, ns, fs.ErrNotExist, add.Inverse())
}

func TestBridgeTakesNoLinkOfAnotherKind(t *testing.T) {
	t.Parallel()
	b, ns := open(t)
	ns.Output(t, "ip", "link", "add", "virbr0", "address", bridgeMAC.String(), "type", "veth", "peer", "name", "other")
	add := host.AddBridge{Link: "virbr0", MAC: bridgeMAC}
	refuse(t, b, ns, fs.ErrExist, add)
	refuse(t, b, ns, fs.ErrNotExist, add.Inverse())
	refuse(t, b, ns, fs.ErrNotExist, host.Plug{Link: "other", Bridge: "virbr0"})
}

// An MTU that was asked for stays, also if it is the one the kernel gives anyway.
func TestBridgeKeepsItsMTU(t *testing.T) {
	testenv.NeedRoot(t)
	t.Parallel()
	for _, c := range []struct {
		name               string
		mtu, port          int
		plugged, unplugged string
	}{
		{"smaller", 1400, 9000, "mtu 1400 ", "mtu 1400 "},
		{"usual", 1500, 9000, "mtu 1500 ", "mtu 1500 "},
		{"larger", 9000, 1500, "mtu 9000 ", "mtu 9000 "},
		{"left to the kernel", 0, 9000, "mtu 9000 ", "mtu 1500 "},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b, ns := open(t)
			plug := host.Plug{Link: "tap0", Bridge: "br0"}
			do(t, b, host.AddBridge{Link: "br0", MAC: bridgeMAC, MTU: c.mtu}, host.AddTap{Link: "tap0", MAC: tapMAC, MTU: c.port}, plug)
			require.Contains(t, ns.Output(t, "ip", "link", "show", "br0"), c.plugged)
			do(t, b, plug.Inverse())
			require.Contains(t, ns.Output(t, "ip", "link", "show", "br0"), c.unplugged)
		})
	}
}

func TestPlug(t *testing.T) {
	t.Parallel()
	b, ns := open(t)
	do(t, b,
		host.AddBridge{Link: "br0", MAC: bridgeMAC}, host.AddBridge{Link: "br1", MAC: tapMAC},
		host.AddTap{Link: "tap0", MAC: tapMAC},
	)
	free := ns.Snapshot(t)
	for _, c := range []struct {
		plug host.Plug
		want []string
	}{
		{host.Plug{}, []string{"learning on", "flood on", "isolated off"}},
		{host.Plug{Isolated: true}, []string{"learning on", "flood on", "isolated on"}},
		{host.Plug{NoLearning: true}, []string{"learning off", "flood on", "isolated off"}},
		{host.Plug{NoFlood: true}, []string{"learning on", " flood off", "isolated off"}},
		{host.Plug{Isolated: true, NoLearning: true, NoFlood: true}, []string{"learning off", " flood off", "isolated on"}},
	} {
		c.plug.Link, c.plug.Bridge = "tap0", "br0"
		do(t, b, c.plug)
		got := ns.Output(t, "bridge", "-d", "link", "show", "dev", "tap0")
		for _, want := range append(c.want, "master br0") {
			require.Contains(t, got, want, c.plug.String())
		}
		refuse(t, b, ns, fs.ErrExist, c.plug)
		refuse(t, b, ns, fs.ErrExist, host.Plug{Link: "tap0", Bridge: "br1"})
		refuse(t, b, ns, fs.ErrNotExist, host.Unplug{Link: "tap0", Bridge: "br1"})
		do(t, b, c.plug.Inverse())
		ns.Unchanged(t, free, "after "+c.plug.String()+" and back")
	}
	refuse(t, b, ns, fs.ErrNotExist, host.Unplug{Link: "tap0", Bridge: "br0"})
	refuse(t, b, ns, fs.ErrNotExist, host.Plug{Link: "tap0", Bridge: "br9"})
	refuse(t, b, ns, fs.ErrNotExist, host.Plug{Link: "tap9", Bridge: "br0"})
	refuse(t, b, ns, fs.ErrInvalid, host.Plug{Link: "br1", Bridge: "br0"})
	refuse(t, b, ns, fs.ErrInvalid, host.Plug{Link: "lo", Bridge: "br0"})
}
