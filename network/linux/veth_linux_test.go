// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

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
	for _, want := range []string{"mtu 1400", "state DOWN", "qlen 1000", tapMAC.String(), "veth", "alias guest web"} {
		require.Contains(t, got, want)
	}
	got = guest.Output(t, "ip", "-d", "link", "show", "eth0")
	for _, want := range []string{"mtu 1400", "state DOWN", "qlen 1000", bridgeMAC.String(), "veth"} {
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
