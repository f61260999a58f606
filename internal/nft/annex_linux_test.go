// SPDX-License-Identifier: Apache-2.0

package nft

import (
	"testing"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/stretchr/testify/require"
)

// What somebody does to the tables beside that of the filters is heard, with the network it concerns.
func TestMonitorHearsAnnexes(t *testing.T) {
	c, ns := connect(t)
	f := forwarded("n1", "br0")
	f.Guarded = true
	set(t, c, f, host.Filter{})
	m, err := c.Monitor()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	for _, command := range []struct{ nft, network string }{
		{"delete element inet virtnet-forward local6 { tcp . 8080 }", "n1"},
		{"delete element inet virtnet-input guarded { br0 }", "n1"},
		{"flush chain inet virtnet-forward output", ""},
		{"delete table inet virtnet-input", ""},
	} {
		ns.Output(t, "nft", command.nft)
		heard := map[string]bool{}
		testenv.WaitFor(t, patience, command.nft+" is heard", func() bool {
			lost, err := m.Read(func(network string) { heard[network] = true }, nobody(t))
			require.NoError(t, err)
			require.False(t, lost)
			return heard[command.network]
		})
	}
	ns.Output(t, "nft", "add table inet others; add chain inet others c")
	_, err = m.Read(func(network string) { t.Errorf("%q is told of what is somebody else's", network) }, nobody(t))
	require.NoError(t, err)
}

// nobody is to be told of limits.
func nobody(t *testing.T) func(link string) {
	t.Helper()
	return func(link string) { t.Errorf("the limit of %q has not changed", link) }
}

// As many ports as a network may have fit into one change, and are read again.
func TestManyForwards(t *testing.T) {
	c, ns := connect(t)
	before := ns.Snapshot(t)
	f := host.Filter{Network: "n1", Link: "br0", Forwards: []host.PortForward{forward(host.TCP, "", 10000, 26383, "192.168.4.2", 1)}}
	set(t, c, f, host.Filter{})
	same(t, []host.Filter{f}, get(t, c))
	less := f
	less.Forwards = []host.PortForward{forward(host.TCP, "", 10000, 26382, "192.168.4.2", 1)}
	set(t, c, less, f)
	same(t, []host.Filter{less}, get(t, c))
	set(t, c, host.Filter{}, less)
	require.Equal(t, before, ns.Snapshot(t))
}
