// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"testing"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
	"github.com/go-virtnet/virtnet/network/linux"
	"github.com/stretchr/testify/require"
)

// open gives a backend for a network namespace of the test's own.
func open(t testing.TB) (*linux.Backend, *testenv.Namespace) {
	t.Helper()
	testenv.NeedRoot(t)
	ns := testenv.New(t)
	b, err := linux.Open(linux.Config{Namespace: ns.Path(), RunDir: t.TempDir(), Libvirt: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b, ns
}

func TestConformance(t *testing.T) {
	testenv.NeedRoot(t)
	var ns *testenv.Namespace
	var sw *testenv.OpenVSwitch
	var last *linux.Backend
	hosttest.Suite{
		Open: func(t *testing.T) host.Backend {
			last, ns, sw = openWithOVS(t)
			return last
		},
		Libvirt: func(t *testing.T, l host.Libvirt, leases []host.Lease) host.LibvirtServer {
			return playLibvirt(t, ns, last.LibvirtFolder(), l, leases)
		},
		OVS: func(t *testing.T, bridges ...string) {
			sw.Datapath = "netdev" // whose ports look like other links
			sw.Start(t)
			sw.AddBridges(t, bridges...)
		},
		Learn: func(t *testing.T, link string, n host.Neighbour) {
			state := "stale"
			if n.Confirmed {
				state = "reachable"
			}
			ns.Output(t, "ip", "neighbour", "replace", n.Addr.String(), "lladdr", n.MAC.String(), "dev", link, "nud", state)
		},
		Namespace: func(t *testing.T) string { return testenv.New(t).Path() },
		Switch: func(t *testing.T) string {
			needAgent(t)
			outside := testenv.New(t)
			testenv.Connect(t, ns, outside, "eth9", "eth9")
			startAgent(t, outside, "eth9", agentBridge)
			return "eth9"
		},
	}.Run(t)
}
