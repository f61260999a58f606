// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"errors"
	"io/fs"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/internal/lab"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/internal/vmtest"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/linux"
)

// TestRealGuests boots a guest of QEMU on a port of each kind that a monitor opens, with the arguments and the descriptors
// of the port. The guest takes an address by DHCP from the network's own server, and is reached from the host.
func TestRealGuests(t *testing.T) { onBothServers(t, testRealGuests) }

func testRealGuests(w *world) {
	t := w.t
	image, err := vmtest.Find()
	if errors.Is(err, fs.ErrNotExist) {
		testenv.Skip(t, "needs the image of the virtual machine, which make vm makes")
	}
	require.NoError(t, err)
	w.start(`<network><name>lan</name><forward mode='nat'/><bridge name='lan0' stp='off'/><mtu size='1400'/>
		<ip address='10.88.0.1' prefix='24'><dhcp><range start='10.88.0.10' end='10.88.0.99'/><host mac='52:54:00:00:00:01' ip='10.88.0.7'/></dhcp></ip></network>`)
	// A card of the host whose cable leads to the network.
	w.ip(w.host, "link add card0 type veth peer name cable0", "link set cable0 master lan0 up", "link set card0 up")
	for name, c := range map[string]struct {
		queues    int
		text, mtu string
		nets      func(t *testing.T, w *world) *network.Manager // nil is that of the world
	}{
		"tap":                  {1, asked("<model type='virtio'/>"), "1400", nil},
		"tap with two queues":  {2, asked("<model type='virtio'/><driver queues='2'/>"), "1400", nil},
		"macvtap, bridge":      {1, direct("bridge"), "1500", nil},
		"macvtap, private":     {2, direct("private"), "1500", nil},
		"macvtap, vepa":        {1, direct("vepa"), "1500", nil},
		"macvtap, passthrough": {2, direct("passthrough"), "1500", nil},
		"a tap on Open vSwitch": {1, `<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='ovs0'/>
			<virtualport type='openvswitch'/><model type='virtio'/></interface>`, "1500", withOpenVSwitch},
	} {
		if testing.Short() && name != "tap" {
			continue // each takes some seconds
		}
		t.Run(name, func(t *testing.T) {
			nets := w.nets
			if c.nets != nil {
				nets = c.nets(t, w)
			}
			p, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, nic(t, c.text))
			require.NoError(t, err)
			defer func() { require.NoError(t, p.Detach(t.Context())) }()
			files, err := p.Open(t.Context(), c.queues)
			require.NoError(t, err)
			args, err := p.QEMUArgs("", domainiface.Inherited(c.queues))
			require.NoError(t, err)
			guest, err := image.Boot(t.Context(), args, files...)
			require.NoError(t, err)
			defer func() { require.NoError(t, guest.Close()) }()
			for _, f := range files {
				require.NoError(t, f.Close())
			}
			lease, err := guest.Lease()
			require.NoError(t, err)
			require.Equal(t, map[string]string{"address": "10.88.0.7/24", "router": "10.88.0.1", "dns": "10.88.0.1", "mtu": c.mtu}, lease)
			require.NoError(t, lab.Probe(t.Context(), w.host.Path(), lab.ICMP, netip.MustParseAddr("10.88.0.7")))
		})
	}
}

// direct is an interface on the host's card.
func direct(mode string) string {
	return `<interface type='direct'><mac address='52:54:00:00:00:01'/><source dev='card0' mode='` + mode + `'/><model type='virtio'/><driver queues='2'/></interface>`
}

// withOpenVSwitch makes the bridge ovs0 of Open vSwitch in the world's host, on which a cable leads to its network, and opens
// a manager that knows of it.
func withOpenVSwitch(t *testing.T, w *world) *network.Manager {
	t.Helper()
	sw := testenv.NewOpenVSwitch(t, w.host)
	sw.Start(t)
	sw.AddBridges(t, "ovs0")
	w.ip(w.host, "link add cable1 type veth peer name cable2", "link set cable1 master lan0 up", "link set cable2 up")
	sw.Vsctl(t, "add-port", "ovs0", "cable2")
	backend, err := linux.Open(linux.Config{Namespace: w.host.Path(), RunDir: w.runDir, OVSDB: sw.Socket, Engine: w.engine})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, backend.Close()) })
	nets, err := network.Open(t.Context(), backend, network.Memory())
	require.NoError(t, err)
	return nets
}
