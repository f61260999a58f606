// SPDX-License-Identifier: Apache-2.0

package host

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Facts is what was seen of a machine at one moment, as far as a [Scope] asked for it. Lists are sorted, so that two
// looks at an unchanged machine are equal and print alike.
type Facts struct {
	// Instance identifies the machine since its last start (on Linux the boot and the network namespace). What was
	// written down about another instance no longer exists.
	Instance string
	Links    []Link
	// Stations are those of ports that learn nothing.
	Stations []Station
	// Receives is what the links take that were asked for.
	Receives []Receive `json:",omitempty"`
	Addrs    []Addr
	Routes   []Route
	// Sysctls holds the parameters that were asked for and exist.
	Sysctls    []Sysctl
	Forwarding Forwarding
	Filters    []Filter
	// Zones is what firewalld says, if it was asked for.
	Zones Zones `json:",omitzero"`
	// Resolver is what the resolver of the machine knows, if it was asked for.
	Resolver Resolver `json:",omitzero"`
	// Shapes holds the links whose traffic is shaped, and Classes what is guaranteed there.
	Shapes  []Shape
	Classes []Class
	// Servers holds the servers that run, with the configuration they run with.
	Servers []Server
	// Shaping is what the machine can do about traffic, if it was asked for.
	Shaping Shaping `json:",omitzero"`
	// Filled holds the links that fill in the checksums of what DHCP servers answer; see [FillChecksums].
	Filled []string `json:",omitempty"`
	// Repairs is how the machine can repair those checksums, the best way first, if it was asked for.
	Repairs []Repair `json:",omitempty"`
	// OVS is what there is of Open vSwitch, if it was asked for, and OVSPorts are its ports but for those that bridges
	// have for themselves.
	OVS      OVS `json:",omitzero"`
	OVSPorts []OVSPort
	// VLANFiltering is whether bridges can keep VLANs apart, if it was asked for.
	VLANFiltering bool `json:",omitempty"`
	// Functions holds the virtual functions of the cards that were asked for, and the PCI devices that were.
	Functions []Function
	// Switches holds what was heard of the switches at the cards that were asked for, or found out.
	Switches []Switch `json:",omitempty"`
	// Libvirt is what libvirt keeps of its networks, if it was asked for.
	Libvirt Libvirt `json:",omitzero"`
	// Associations holds the guests that the switches at cards have taken in.
	Associations []Association `json:",omitempty"`
	// Guests holds the macvlan devices in the network namespaces that were asked for.
	Guests []GuestLink `json:",omitempty"`
	// Profiles holds those that port extenders have given the cards that were asked for.
	Profiles []Profile `json:",omitempty"`
}

// Link finds a link by its name, and is nil if there is none.
func (f *Facts) Link(name string) *Link {
	for i := range f.Links {
		if f.Links[i].Name == name {
			return &f.Links[i]
		}
	}
	return nil
}

// HasStation reports whether that station is behind that port.
func (f *Facts) HasStation(link string, mac MAC) bool {
	return slices.Contains(f.Stations, Station{Link: link, MAC: mac})
}

// Receive finds what a link takes, if it was asked for and the link is there.
func (f *Facts) Receive(link string) (Receive, bool) {
	for _, r := range f.Receives {
		if r.Link == link {
			return r, true
		}
	}
	return Receive{}, false
}

// Filter finds the filter of a network; none is the zero Filter.
func (f *Facts) Filter(network string) Filter {
	for _, filter := range f.Filters {
		if filter.Network == network {
			return filter
		}
	}
	return Filter{}
}

// Shape finds how a link is shaped; not at all is the zero Shape.
func (f *Facts) Shape(link string) Shape {
	for _, s := range f.Shapes {
		if s.Link == link {
			return s
		}
	}
	return Shape{}
}

// Class finds a class of a link by its number; none is the zero Class.
func (f *Facts) Class(link string, id uint16) Class {
	for _, c := range f.Classes {
		if c.Link == link && c.ID == id {
			return c
		}
	}
	return Class{}
}

// Switch finds what was heard of the switch at a network card; of one that was not heard nothing is known.
func (f *Facts) Switch(link string) Switch {
	for _, s := range f.Switches {
		if s.Link == link {
			return s
		}
	}
	return Switch{Link: link}
}

// Function finds a network card by its place, and is nil if there is none.
func (f *Facts) Function(place PCI) *Function {
	for i := range f.Functions {
		if f.Functions[i].PCI == place {
			return &f.Functions[i]
		}
	}
	return nil
}

// Association finds a guest that the switch at a network card has taken in; none is the zero Association.
func (f *Facts) Association(link string, instance UUID) Association {
	for _, a := range f.Associations {
		if a.Link == link && a.Instance == instance {
			return a
		}
	}
	return Association{}
}

// Profile finds that of a card, or of its virtual function of that number; none is the zero Profile.
func (f *Facts) Profile(link string, vf int) Profile {
	for _, p := range f.Profiles {
		if p.Link == link && p.VF == vf {
			return p
		}
	}
	return Profile{}
}

// Server finds a running server by its name, and is nil if there is none.
func (f *Facts) Server(name string) *Server {
	for i := range f.Servers {
		if f.Servers[i].Name == name {
			return &f.Servers[i]
		}
	}
	return nil
}

// OVSPort finds a port of Open vSwitch by its name, and is nil if there is none.
func (f *Facts) OVSPort(link string) *OVSPort {
	for i := range f.OVSPorts {
		if f.OVSPorts[i].Link == link {
			return &f.OVSPorts[i]
		}
	}
	return nil
}

// Sysctl finds a kernel parameter. The second result is false if it does not exist or was not asked for.
func (f *Facts) Sysctl(key string) (string, bool) {
	for _, s := range f.Sysctls {
		if s.Key == key {
			return s.Value, true
		}
	}
	return "", false
}

// HasAddr reports whether the link has that address with that prefix length.
func (f *Facts) HasAddr(link string, prefix netip.Prefix) bool {
	return slices.Contains(f.Addrs, Addr{Link: link, Prefix: prefix})
}

// Sort puts every list into its order. A backend calls it before it returns facts.
func (f *Facts) Sort() {
	slices.SortFunc(f.Links, func(a, b Link) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(f.Stations, compareStations)
	slices.SortFunc(f.Receives, func(a, b Receive) int { return cmp.Compare(a.Link, b.Link) })
	slices.SortFunc(f.Addrs, func(a, b Addr) int {
		return cmp.Or(cmp.Compare(a.Link, b.Link), a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()))
	})
	slices.SortFunc(f.Routes, compareRoutes)
	slices.SortFunc(f.Sysctls, func(a, b Sysctl) int { return cmp.Compare(a.Key, b.Key) })
	slices.Sort(f.Forwarding.Blocked)
	slices.SortFunc(f.Filters, func(a, b Filter) int { return cmp.Compare(a.Network, b.Network) })
	f.Zones.sort()
	f.Resolver.sort()
	slices.SortFunc(f.Shapes, func(a, b Shape) int { return cmp.Compare(a.Link, b.Link) })
	slices.SortFunc(f.Classes, compareClasses)
	slices.Sort(f.Filled)
	slices.SortFunc(f.Servers, func(a, b Server) int { return cmp.Compare(a.Name, b.Name) })
	slices.Sort(f.OVS.Bridges)
	slices.SortFunc(f.OVSPorts, func(a, b OVSPort) int { return cmp.Compare(a.Link, b.Link) })
	slices.SortFunc(f.Functions, compareFunctions)
	slices.SortFunc(f.Associations, compareAssociations)
	slices.SortFunc(f.Profiles, compareProfiles)
	slices.SortFunc(f.Guests, compareGuestLinks)
	slices.SortFunc(f.Switches, func(a, b Switch) int { return cmp.Compare(a.Link, b.Link) })
	f.Libvirt.sort()
}

// String prints the facts as text, a line or block each, for tests and people.
func (f *Facts) String() string {
	var b strings.Builder
	for _, l := range f.Links {
		fmt.Fprintf(&b, "link %s\n", l)
	}
	for _, s := range f.Stations {
		fmt.Fprintf(&b, "station %s\n", s)
	}
	for _, r := range f.Receives {
		fmt.Fprintf(&b, "receive %s\n", r)
	}
	for _, a := range f.Addrs {
		fmt.Fprintf(&b, "addr %s\n", a)
	}
	for _, r := range f.Routes {
		fmt.Fprintf(&b, "route %s\n", r)
	}
	for _, s := range f.Sysctls {
		fmt.Fprintf(&b, "sysctl %s=%s\n", s.Key, s.Value)
	}
	fmt.Fprint(&b, f.Forwarding)
	for _, filter := range f.Filters {
		fmt.Fprint(&b, filter)
	}
	fmt.Fprint(&b, f.Zones)
	fmt.Fprint(&b, f.Resolver)
	for _, s := range f.Shapes {
		fmt.Fprintf(&b, "shape %s\n", s)
	}
	for _, c := range f.Classes {
		fmt.Fprintf(&b, "class %s\n", c)
	}
	for _, link := range f.Filled {
		fmt.Fprintf(&b, "checksums of DHCP filled in dev %s\n", link)
	}
	for _, s := range f.Servers {
		fmt.Fprintf(&b, "server %s\n", s)
	}
	if f.Shaping.Queues != nil || f.Shaping.Means != nil {
		fmt.Fprintf(&b, "shaping %s\n", f.Shaping)
	}
	if len(f.Repairs) > 0 {
		fmt.Fprintf(&b, "checksums of DHCP can be repaired by %v\n", f.Repairs)
	}
	for _, name := range f.OVS.Bridges {
		fmt.Fprintf(&b, "ovs %s\n", name)
	}
	if f.OVS.Missing != "" {
		fmt.Fprintf(&b, "no ovs: %s\n", f.OVS.Missing)
	}
	for _, p := range f.OVSPorts {
		fmt.Fprintf(&b, "ovs port %s\n", p)
	}
	if f.VLANFiltering {
		fmt.Fprint(&b, "bridges can keep VLANs apart\n")
	}
	for _, fn := range f.Functions {
		fmt.Fprintf(&b, "function %s\n", fn)
	}
	for _, s := range f.Switches {
		fmt.Fprintf(&b, "switch %s\n", s)
	}
	fmt.Fprint(&b, f.Libvirt)
	for _, a := range f.Associations {
		fmt.Fprintf(&b, "association %s\n", a)
	}
	for _, p := range f.Profiles {
		fmt.Fprintf(&b, "profile %s\n", p)
	}
	for _, l := range f.Guests {
		fmt.Fprintf(&b, "guest link %s\n", l)
	}
	return b.String()
}
