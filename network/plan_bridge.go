// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"fmt"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// planBridge makes the bridge, and keeps the host from configuring itself by what guests advertise on it. A bridge
// without an IPv6 address has no IPv6 at all.
func planBridge(n *Network, f *host.Facts) host.Plan {
	const from = "/network/bridge"
	link := n.Bridge.Name
	stp, delay := spanningTree(n.Bridge)
	plan := host.Plan{{From: from, Op: host.AddBridge{
		Link:         link,
		MAC:          host.MAC(n.MAC.Address),
		Owner:        ownerPrefix + n.UUID.String(),
		MTU:          n.mtu(),
		STP:          stp,
		ForwardDelay: delay,
		// So the kernel spares ports whose stations are all known what is not for them.
		VLANFiltering: n.keepsTable(),
	}}}
	for _, p := range bridgeSysctls {
		was, ok := f.Sysctl("net/ipv6/conf/default/" + p.name)
		if !ok || !n.fitsIPv6() {
			continue
		}
		value := p.without
		if n.hasFamily(IPv6) {
			value = p.with
		}
		plan = append(plan, host.Step{From: from, Op: host.SetSysctl{Key: "net/ipv6/conf/" + link + "/" + p.name, Value: value, Was: was}})
	}
	return plan
}

// tablePath is the place that says who fills the table of a bridge.
const tablePath = "/network/bridge/@macTableManager"

// keepsTable reports whether the bridge is told which guest is behind which port, and learns and tries nothing.
func (n *Network) keepsTable() bool {
	return n.Bridge != nil && n.Bridge.MACTableManager == schema.ManagedByLibvirt
}

// checkTable refuses such a bridge on a host that cannot have it.
func checkTable(n *Network, f *host.Facts) error {
	if !n.keepsTable() || f.VLANFiltering {
		return nil
	}
	return fail(errors.ErrUnsupported, "%s: the kernel of the host has no VLAN filtering of bridges, which this needs", tablePath)
}

// planTable is what such a table needs of a bridge of the host. The ports do the rest, each for itself.
func planTable(n *Network) host.Plan {
	if !n.keepsTable() {
		return nil
	}
	return host.Plan{{From: tablePath, Op: host.FilterVLANs{Link: n.Bridge.Name}}}
}

// fitsIPv6 reports whether the packets of the bridge are large enough for IPv6: on another one the kernel has no IPv6, and no
// parameters of it.
func (n *Network) fitsIPv6() bool { return n.mtu() == 0 || n.mtu() >= minIPv6 }

// minIPv6 is the smallest MTU of IPv6.
const minIPv6 = 1280

// bridgeSysctls are the parameters of IPv6 on a bridge, with and without an IPv6 address of its own.
var bridgeSysctls = []struct{ name, with, without string }{
	{"disable_ipv6", "0", "1"},
	{"accept_ra", "0", "0"},
	{"autoconf", "0", "0"},
}

func bridgeSysctlDefaults() []string {
	var keys []string
	for _, p := range bridgeSysctls {
		keys = append(keys, "net/ipv6/conf/default/"+p.name)
	}
	return keys
}

// spanningTree is what a <bridge> asks for, in hundredths of a second. With the spanning tree protocol on, the kernel
// takes no less than 2 and no more than 30 seconds.
func spanningTree(b *Bridge) (stp bool, delay int) {
	stp = b.STP != schema.Off
	delay = int(min(b.Delay.Uint(), 30)) * 100
	if stp {
		delay = max(delay, 200)
	}
	return stp, delay
}

// planAddrs gives the bridge the addresses of the document, in its order.
func planAddrs(n *Network) host.Plan {
	var plan host.Plan
	for i := range n.IPs {
		if prefix, ok := n.IPs[i].Prefix(); ok {
			plan = append(plan, host.Step{From: ipPath(i), Op: host.AddAddr{Link: n.Bridge.Name, Prefix: prefix}})
		}
	}
	return plan
}

// planUp switches the bridge on.
func planUp(n *Network) host.Plan {
	return host.Plan{{From: "/network/bridge", Op: host.SetUp{Link: n.Bridge.Name}}}
}

// planRoutes adds the routes to what lies behind guests.
func planRoutes(n *Network) host.Plan {
	var plan host.Plan
	for i := range n.Routes {
		r := &n.Routes[i]
		dest, _ := r.Prefix()
		plan = append(plan, host.Step{From: fmt.Sprintf("/network/route[%d]", i+1), Op: host.AddRoute{
			Dest:    dest,
			Gateway: r.Gateway.WithZone(""),
			Link:    n.Bridge.Name,
			Metric:  int(r.Metric.Or(1)),
		}})
	}
	return plan
}

// mtu is the size of packets that the document asks for, 0 if it does not.
func (n *Network) mtu() int {
	if n.MTU == nil {
		return 0
	}
	return int(n.MTU.Size.Uint())
}

// hasFamily reports whether the bridge has an address of the family.
func (n *Network) hasFamily(family Family) bool {
	for i := range n.IPs {
		if family.has(n.IPs[i].Address) {
			return true
		}
	}
	return false
}

func ipPath(i int) string { return fmt.Sprintf("/network/ip[%d]", i+1) }
