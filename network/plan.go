// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// PlanScope names the facts that [Plan] needs for a network.
func PlanScope(n *Network) host.Scope {
	if n.handsOut() && n.Forward.PF != nil {
		return host.Scope{Functions: []string{n.Forward.PF.Dev.String()}}
	}
	if n.Bridge == nil || n.Bridge.Name == "" {
		return host.Scope{}
	}
	s := host.Scope{Links: []string{n.Bridge.Name}}
	if n.Bandwidth != nil {
		s.Shapes, s.Shaping = s.Links, true
	}
	s.VLANs = n.keepsTable()
	if n.Managed() {
		s.Near, s.Forwarding, s.Sysctls = n.Subnets(), true, bridgeSysctlDefaults()
		s.Resolver = n.registers()
		s.Zones = n.Bridge.Zone != "" || n.Mode() != ForwardOpen
		s.Repairs = n.firstDHCP() >= 0
	}
	return s
}

// Plan turns a complete document into what has to be done on a host with these facts, so that the network runs: for a
// network of the host's own making a bridge, its packet filter and zone, addresses, routes and server, in an order in which
// nothing is open before it is guarded. The other kinds of network only use what exists, and have an empty plan but for
// the shape of a bridge with a <bandwidth>.
//
// Leases are those that guests still hold from an earlier run. The same document, facts and leases make the same plan.
// Its errors begin with the path in the document that asks for what the host cannot give.
func Plan(n *Network, f *host.Facts, leases []host.Lease) (host.Plan, error) {
	return PlanAs(schema.Rules{}, n, f, leases)
}

// PlanAs is [Plan] with rules: where they leave out a [schema.Deviation], the host is to do what libvirt has it do.
func PlanAs(rules schema.Rules, n *Network, f *host.Facts, leases []host.Lease) (host.Plan, error) {
	if rules.Compat {
		n = n.Clone()
		n.dropOwn()
	}
	if !n.Managed() {
		if err := firstOf(checkHostBridge(n, f), checkFunctions(n, f)); err != nil || !n.HostBridge() {
			return nil, err
		}
		shape, err := planShape(n, f)
		return append(planTable(n), shape...), err
	}
	if n.Bridge == nil || n.Bridge.Name == "" || n.MAC == nil || n.MAC.Address.IsZero() || n.UUID.IsZero() {
		return nil, fmt.Errorf("/network: not complete: it has no bridge name, hardware address or uuid: %w", fs.ErrInvalid)
	}
	if !n.fitsIPv6() && n.hasFamily(IPv6) {
		return nil, fail(fs.ErrInvalid, "/network/mtu/@size: IPv6 needs packets of at least %d bytes, not %d", minIPv6, n.mtu())
	}
	if err := firstOf(checkSupported(n), checkTable(n, f), checkFree(n, f)); err != nil {
		return nil, err
	}
	forwarding, err := planForwarding(n, f)
	if err != nil {
		return nil, err
	}
	shape, err := planShape(n, f)
	if err != nil {
		return nil, err
	}
	server, err := planServer(rules, n, leases)
	if err != nil {
		return nil, err
	}
	zone, err := planZone(rules, n, f)
	if err != nil {
		return nil, err
	}
	register, err := planRegister(rules, n, f)
	if err != nil {
		return nil, err
	}
	return slices.Concat(planFilter(n, f), zone, planBridge(n, f), shape, planChecksums(n, f), planAddrs(n), planUp(n), planRoutes(n), server, register, forwarding), nil
}

// checkHostBridge refuses a network on a bridge that the host does not have.
func checkHostBridge(n *Network, f *host.Facts) error {
	if !n.HostBridge() {
		return nil
	}
	l := f.Link(n.Bridge.Name)
	switch {
	case l == nil:
		return fail(fs.ErrNotExist, "/network/bridge/@name: the host has no bridge %s", n.Bridge.Name)
	case n.keepsTable() && l.Kind != host.Bridge:
		return fail(errors.ErrUnsupported, "%s: only a Linux bridge has such a table, and %s is none", tablePath, n.Bridge.Name)
	}
	return checkTable(n, f)
}

// checkSupported refuses a network with settings that are not carried out yet, rather than to start it without them.
func checkSupported(n *Network) error {
	for _, setting := range []struct {
		given bool
		path  string
	}{
		{n.VLAN != nil, "/network/vlan"},
		{n.VirtualPort != nil, "/network/virtualport"},
	} {
		if setting.given {
			return fail(errors.ErrUnsupported, "%s: this setting cannot be carried out by this version", setting.path)
		}
	}
	return nil
}

// checkFree refuses a network whose bridge, addresses or routes the host has already.
func checkFree(n *Network, f *host.Facts) error {
	if l := f.Link(n.Bridge.Name); l != nil {
		return fail(fs.ErrExist, "/network/bridge/@name: the host has a link %s already", l.Name)
	}
	for i := range n.IPs {
		if err := checkSubnetFree(fmt.Sprintf("/network/ip[%d]", i+1), &n.IPs[i], f); err != nil {
			return err
		}
	}
	for i := range n.Routes {
		dest, ok := n.Routes[i].Prefix()
		if !ok {
			return fmt.Errorf("/network/route[%d]: no network: %w", i+1, fs.ErrInvalid)
		}
		for _, r := range f.Routes {
			if r.Table == host.MainTable && r.Dest == dest {
				return fail(fs.ErrExist, "/network/route[%d]: the host has a route to it already: %s", i+1, r)
			}
		}
	}
	return nil
}

// checkSubnetFree refuses a subnet that overlaps an address of the host, a network on one of its links, or a route to
// something inside it. A wider route by way of a gateway is no obstacle: ours is the more specific one.
func checkSubnetFree(path string, ip *IP, f *host.Facts) error {
	prefix, ok := ip.Prefix()
	if !ok {
		return fmt.Errorf("%s: no usable address and prefix: %w", path, fs.ErrInvalid)
	}
	subnet := prefix.Masked()
	for _, a := range f.Addrs {
		if subnet.Overlaps(a.Prefix.Masked()) {
			return fail(fs.ErrExist, "%s: %s overlaps an address of the host: %s", path, subnet, a)
		}
	}
	for _, r := range f.Routes {
		if r.Dest.Bits() == 0 || !subnet.Overlaps(r.Dest) {
			continue
		}
		if !r.Gateway.IsValid() || r.Dest.Bits() >= subnet.Bits() {
			return fail(fs.ErrExist, "%s: %s overlaps a route of the host: %s", path, subnet, r)
		}
	}
	return nil
}
