// SPDX-License-Identifier: Apache-2.0

package host

import (
	"net/netip"
	"slices"
	"strings"
)

// A Scope names the facts that are wanted. The zero Scope asks for nothing but the identity of the machine; looking
// at a machine costs time in proportion to its scope, so ask for little.
type Scope struct {
	// All asks for everything: every link, address, route, filter, shape, checksum that is filled in, server, association and port of Open vSwitch (as far as
	// that answers), and the forwarding. Sysctls, Functions, PCI, VFs, Switches and OVS still have to be named.
	All bool
	// Links names the devices whose properties and addresses are wanted.
	Links []string
	// Bare names devices whose properties are wanted without their addresses, for which the kernel would have to go through a
	// list.
	Bare []string
	// Addrs asks for every address of the machine.
	Addrs bool
	// Routes asks for every route of the machine, in all tables.
	Routes bool
	// Near asks for the addresses and routes that overlap one of these subnets, a default route among them.
	Near []netip.Prefix
	// Forwarding asks whether the machine forwards, and what stands against its doing so.
	Forwarding bool
	// Sysctls names kernel parameters by their path below /proc/sys, such as "net/ipv4/ip_forward".
	Sysctls []string
	// Filters names the networks whose packet filter is wanted.
	Filters []string
	// Zones asks how firewalld has sorted the links. Nothing else asks for it, not even All.
	Zones bool
	// Resolver asks what the resolver of the machine knows of its links. Nothing else asks for it, not even All.
	Resolver bool
	// Shapes names the links whose shape and classes are wanted.
	Shapes []string
	// Shaping asks what the machine can do about traffic. Nothing else asks for it, not even All.
	Shaping bool
	// Filled names the links of which is wanted whether they fill in the checksums of what DHCP servers answer.
	Filled []string
	// Repairs asks how the machine can repair those checksums. Nothing else asks for it, not even All.
	Repairs bool
	// Receives names the links of which is wanted what they take. Nothing else asks for it, not even All.
	Receives []string
	// VLANs asks whether bridges can keep VLANs apart. Nothing else asks for it, not even All.
	VLANs bool
	// Servers names the servers that are wanted.
	Servers []string
	// OVS asks for the bridges of Open vSwitch. Nothing else asks for it, not even All.
	OVS bool
	// OVSPorts names the ports of Open vSwitch that are wanted.
	OVSPorts []string
	// Functions names the cards whose virtual functions are wanted, with the links of those functions and their addresses.
	Functions []string
	// PCI names devices of the PCI bus that are wanted, with their links and the addresses of those.
	PCI []PCI
	// VFs names devices as PCI does, and asks as well for what their cards do for them, and for the links of those cards. It
	// takes time in proportion to the functions that the cards have.
	VFs []PCI
	// Macvtaps asks for every macvtap and macvlan device of the machine, with its addresses.
	Macvtaps bool
	// Switches names network cards at whose switches what was heard is wanted. Nothing is heard unless a [SwitchWatcher] of the
	// same backend listens, and it takes up to half a minute: see there.
	Switches []string
	// Libvirt asks for what libvirt keeps of its networks. Nothing else asks for it, not even All.
	Libvirt bool
	// Associations names the network cards whose guests are wanted, as the switches there know them.
	Associations []string
	// Namespaces names network namespaces by their files, of which the macvlan devices are wanted that stand on devices of this
	// one. Nothing else asks for them, not even All. One that is not there has none.
	Namespaces []string
	// Profiles names the cards whose profiles of port extenders are wanted. Nothing else asks for them, not even All.
	Profiles []string
}

// IsZero reports whether the scope asks for nothing.
func (s Scope) IsZero() bool {
	return !(s.All || s.Addrs || s.Routes || s.Forwarding || s.Zones || s.Resolver || s.Shaping || s.Repairs || s.VLANs || s.OVS || s.Macvtaps || s.Libvirt) &&
		len(s.Links)+len(s.Bare)+len(s.Near)+len(s.Sysctls)+len(s.Filters)+len(s.Shapes)+len(s.Filled)+len(s.Receives)+len(s.Servers)+len(s.OVSPorts)+len(s.Functions)+len(s.PCI)+len(s.VFs)+len(s.Switches)+len(s.Associations)+len(s.Namespaces)+len(s.Profiles) == 0
}

// And is the scope that asks for what either asks for.
func (s Scope) And(t Scope) Scope {
	return Scope{
		All:        s.All || t.All,
		Links:      union(s.Links, t.Links),
		Bare:       union(s.Bare, t.Bare),
		Addrs:      s.Addrs || t.Addrs,
		Routes:     s.Routes || t.Routes,
		Near:       unionFunc(s.Near, t.Near, netip.Prefix.Compare),
		Forwarding: s.Forwarding || t.Forwarding,
		Sysctls:    union(s.Sysctls, t.Sysctls),
		Filters:    union(s.Filters, t.Filters),
		Zones:      s.Zones || t.Zones,
		Resolver:   s.Resolver || t.Resolver,
		Shapes:     union(s.Shapes, t.Shapes),
		Shaping:    s.Shaping || t.Shaping,
		Filled:     union(s.Filled, t.Filled),
		Repairs:    s.Repairs || t.Repairs,
		Servers:    union(s.Servers, t.Servers),
		OVS:        s.OVS || t.OVS,
		OVSPorts:   union(s.OVSPorts, t.OVSPorts),
		Functions:  union(s.Functions, t.Functions),
		PCI:        unionFunc(s.PCI, t.PCI, comparePCI),
		VFs:        unionFunc(s.VFs, t.VFs, comparePCI),
		Macvtaps:   s.Macvtaps || t.Macvtaps,
		Switches:   union(s.Switches, t.Switches),
		Libvirt:    s.Libvirt || t.Libvirt,
		Receives:   union(s.Receives, t.Receives),
		VLANs:      s.VLANs || t.VLANs,

		Associations: union(s.Associations, t.Associations),
		Profiles:     union(s.Profiles, t.Profiles),
		Namespaces:   union(s.Namespaces, t.Namespaces),
	}
}

// HasLink reports whether the scope asks for that link.
func (s Scope) HasLink(name string) bool {
	return s.All || slices.Contains(s.Links, name) || slices.Contains(s.Bare, name)
}

// HasAddr reports whether the scope asks for that address.
func (s Scope) HasAddr(a Addr) bool { return s.HasAddrs(a.Link) || s.HasNear(a.Prefix) }

// HasRoute reports whether the scope asks for that route.
func (s Scope) HasRoute(r Route) bool { return s.All || s.Routes || s.HasNear(r.Dest) }

// HasNear reports whether the scope asks for what overlaps that subnet.
func (s Scope) HasNear(p netip.Prefix) bool { return slices.ContainsFunc(s.Near, p.Overlaps) }

// HasAddrs reports whether the scope asks for the addresses of that link.
func (s Scope) HasAddrs(link string) bool {
	return s.All || s.Addrs || slices.Contains(s.Links, link)
}

// HasFilter reports whether the scope asks for the filter of that network.
func (s Scope) HasFilter(network string) bool { return s.All || slices.Contains(s.Filters, network) }

// HasShape reports whether the scope asks for the shape of that link.
func (s Scope) HasShape(link string) bool { return s.All || slices.Contains(s.Shapes, link) }

// HasFilled reports whether the scope asks whether that link fills checksums in.
func (s Scope) HasFilled(link string) bool { return s.All || slices.Contains(s.Filled, link) }

// HasServer reports whether the scope asks for the server of that name.
func (s Scope) HasServer(name string) bool { return s.All || slices.Contains(s.Servers, name) }

// HasOVSPort reports whether the scope asks for the port of Open vSwitch of that name.
func (s Scope) HasOVSPort(name string) bool { return s.All || slices.Contains(s.OVSPorts, name) }

func union(a, b []string) []string { return unionFunc(a, b, strings.Compare) }

func unionFunc[T comparable](a, b []T, compare func(a, b T) int) []T {
	if len(b) == 0 {
		return a
	}
	both := slices.Concat(a, b)
	slices.SortFunc(both, compare)
	return slices.Compact(both)
}
