// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/stretchr/testify/require"
)

func TestAddVeth(t *testing.T) {
	t.Parallel()
	b, ns := open(t)
	guest := testenv.New(t)
	before, guestBefore := ns.Snapshot(t), guest.Snapshot(t)
	add := host.AddVeth{
		Link: "web-0", MAC: tapMAC, Owner: "guest web", MTU: 1400, Peer: "eth0", PeerMAC: bridgeMAC, Namespace: guest.Path(),
	}
	do(t, b, add)
	got := ns.Output(t, "ip", "-d", "link", "show", "web-0")
	for _, want := range []string{"mtu 1400", "state DOWN", "qlen 1000", tapMAC.String(), "veth", "alias guest web", "addrgenmode none"} {
		require.Contains(t, got, want)
	}
	got = guest.Output(t, "ip", "-d", "link", "show", "eth0")
	for _, want := range []string{"mtu 1400", "state DOWN", "qlen 1000", bridgeMAC.String(), "veth", "addrgenmode eui64"} {
		require.Contains(t, got, want)
	}
	require.NotContains(t, got, "alias")
	require.NotContains(t, ns.Output(t, "ip", "link"), "eth0")

	refuse(t, b, ns, fs.ErrExist, add)
	other := add
	other.MAC[5]++
	refuse(t, b, ns, fs.ErrNotExist, other.Inverse())
	taken := add
	taken.Link = "web-1"
	refuse(t, b, ns, fs.ErrExist, taken)

	do(t, b, add.Inverse())
	ns.Unchanged(t, before, "in the end")
	guest.Unchanged(t, guestBefore, "in the end")
}

// TestPortsAreSilent waits until the kernel is done with devices that come up, by a sign from one that speaks: the host has
// no address on its ends of the devices of guests, and guests have one on theirs.
func TestPortsAreSilent(t *testing.T) {
	t.Parallel()
	b, ns := open(t)
	guest := testenv.New(t)
	pair := host.AddVeth{Link: "web-0", MAC: bridgeMAC, Peer: "eth0", PeerMAC: host.MAC{0x52, 0x54, 0, 0, 0, 7}, Namespace: guest.Path()}
	tap := host.AddTap{Link: "tap0", MAC: tapMAC}
	do(t, b, host.AddBridge{Link: "br0", MAC: bridgeMAC}, host.SetUp{Link: "br0"}, pair, tap)
	for _, link := range []string{pair.Link, tap.Link} {
		do(t, b, host.Plug{Link: link, Bridge: "br0"}, host.SetUp{Link: link})
	}
	files, err := b.OpenTap(t.Context(), tap.Link, 1)
	require.NoError(t, err)
	t.Cleanup(func() { files[0].Close() })
	guest.Output(t, "ip", "link", "set", "eth0", "up")
	settled := func(ns *testenv.Namespace, link string) {
		testenv.WaitFor(t, 20*time.Second, link+" has an address that is in use", func() bool {
			got := ns.Output(t, "ip", "-6", "addr", "show", "dev", link)
			return strings.Contains(got, "fe80::") && !strings.Contains(got, "tentative")
		})
	}
	settled(guest, "eth0")
	testenv.Connect(t, ns, guest, "loud", "loud")
	settled(ns, "loud")
	for _, link := range []string{pair.Link, tap.Link} {
		require.NotContains(t, ns.Output(t, "ip", "addr", "show", "dev", link), "inet6")
	}
}

func TestAddVethIntoNowhere(t *testing.T) {
	t.Parallel()
	b, ns := open(t)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, c := range []struct {
		path string
		want error
	}{
		{"/nonexistent/namespace", fs.ErrNotExist}, {file, fs.ErrInvalid}, {"/", fs.ErrInvalid}, {"/proc/self/ns/mnt", fs.ErrInvalid},
	} {
		err := refuse(t, b, ns, c.want, host.AddVeth{Link: "web-0", MAC: tapMAC, Peer: "eth0", PeerMAC: bridgeMAC, Namespace: c.path})
		require.ErrorContains(t, err, c.path)
	}
}
