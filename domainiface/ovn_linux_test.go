// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/internal/lab"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/linux"
)

// A chassis is a host of OVN with a guest on it.
type chassis struct {
	number int
	ns     *testenv.Namespace
	sw     *testenv.OpenVSwitch
	nets   *network.Manager
	guest  *testenv.Namespace
	port   *domainiface.Port
}

// logicalPort is the name of the guest's logical port, mac and addr are what it has there.
func (c *chassis) logicalPort() string {
	return fmt.Sprintf("09b11c53-8b5c-4eeb-8f00-00000000000%d", c.number)
}
func (c *chassis) mac() string  { return fmt.Sprintf("52:54:00:00:00:0%d", c.number) }
func (c *chassis) addr() string { return fmt.Sprintf("10.9.0.%d", c.number) }

// newChassis makes a host that is 10.7.0.NUMBER on the link uplink, and a chassis.
func newChassis(t *testing.T, ovn *testenv.OVN, ns *testenv.Namespace, number int) *chassis {
	t.Helper()
	c := &chassis{number: number, ns: ns, sw: testenv.NewOpenVSwitch(t, ns), guest: testenv.New(t)}
	c.sw.Start(t)
	uplink := "uplink"
	if c.sw.Datapath == "netdev" { // whose tunnels end on a bridge of its own
		uplink = "br-phy"
		c.sw.Vsctl(t, "add-br", uplink, "--", "set", "Bridge", uplink, "datapath_type="+c.sw.Datapath, "--", "add-port", uplink, "uplink")
	}
	addr := fmt.Sprintf("10.7.0.%d", number)
	ns.Output(t, "ip", "addr", "add", addr+"/24", "dev", uplink)
	ns.Output(t, "ip", "link", "set", uplink, "up")
	ovn.Join(t, c.sw, fmt.Sprintf("chassis%d", number), addr)
	b, err := linux.Open(linux.Config{Namespace: ns.Path(), RunDir: t.TempDir(), OVSDB: c.sw.Socket})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	c.nets, err = network.Open(t.Context(), b, network.Memory())
	require.NoError(t, err)
	return c
}

// attach boots the guest on the bridge that OVN governs.
func (c *chassis) attach(t *testing.T) {
	t.Helper()
	nic, err := domainiface.Parse(strings.NewReader(`<interface type='bridge'><mac address='` + c.mac() + `'/><source bridge='br-int'/>
<virtualport type='openvswitch'><parameters interfaceid='` + c.logicalPort() + `'/></virtualport></interface>`))
	require.NoError(t, err)
	c.port, err = domainiface.Attach(t.Context(), c.nets, domainiface.Guest{Name: "web"}, nic)
	require.NoError(t, err)
	t.Cleanup(func() {
		if c.port != nil {
			require.NoError(t, c.port.Detach(context.Background()))
		}
	})
	files, err := c.port.Open(t.Context(), 1)
	require.NoError(t, err)
	mac, err := net.ParseMAC(c.mac())
	require.NoError(t, err)
	g, err := lab.Boot(c.guest.Path(), "eth0", mac, files[0])
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, g.Close()); require.NoError(t, files[0].Close()) })
	c.guest.Output(t, "ip", "addr", "add", c.addr()+"/24", "dev", "eth0")
}

// TestOVN puts guests on two hosts at logical ports of one switch of OVN: they are bound by their interface ids, reach each
// other through the tunnel between the hosts, and are let go when they are detached.
func TestOVN(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.NeedOVN(t)
	t.Parallel()
	hosts := []*testenv.Namespace{testenv.New(t), testenv.New(t)}
	testenv.Connect(t, hosts[0], hosts[1], "uplink", "uplink")
	ovn := testenv.NewOVN(t, testenv.New(t))
	ovn.Nbctl(t, "ls-add", "switch")
	one, two := newChassis(t, ovn, hosts[0], 1), newChassis(t, ovn, hosts[1], 2)
	t.Logf("datapath %s", one.sw.Datapath)
	bound := func(c *chassis) bool {
		return ovn.Nbctl(t, "get", "Logical_Switch_Port", c.logicalPort(), "up") == "true"
	}
	for _, c := range []*chassis{one, two} {
		ovn.Nbctl(t, "lsp-add", "switch", c.logicalPort(), "--", "lsp-set-addresses", c.logicalPort(), c.mac()+" "+c.addr())
		c.attach(t)
	}
	for _, c := range []*chassis{one, two} {
		testenv.WaitFor(t, time.Minute, "the port of "+c.addr()+" is bound", func() bool { return bound(c) })
		require.Contains(t, ovn.Sbctl(t, "--bare", "--columns=logical_port", "find", "Port_Binding", "chassis!=[]"), c.logicalPort())
		drift, err := c.nets.Check(t.Context())
		require.NoError(t, err)
		require.Empty(t, drift, "what OVN says of the interface is no drift")
	}
	testenv.WaitFor(t, time.Minute, "an answer from the other host", func() bool {
		return lab.Probe(t.Context(), one.guest.Path(), lab.ICMP, netip.MustParseAddr(two.addr())) == nil
	})
	require.NoError(t, lab.Probe(t.Context(), two.guest.Path(), lab.ICMP, netip.MustParseAddr(one.addr())))

	require.NoError(t, two.port.Detach(t.Context()))
	two.port = nil
	testenv.WaitFor(t, time.Minute, "the port is let go", func() bool { return !bound(two) })
	require.True(t, bound(one))
}
