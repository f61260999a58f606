// SPDX-License-Identifier: Apache-2.0

package host

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Libvirt is what libvirt keeps on a machine about the networks that it runs, besides links, addresses and routes.
type Libvirt struct {
	// Daemon is the process that runs them, libvirtd or virtnetworkd; 0 if it does not run. The networks go on without it.
	Daemon   int              `json:",omitempty"`
	Networks []LibvirtNetwork `json:",omitempty"`
	Servers  []LibvirtServer  `json:",omitempty"`
	Rules    []LibvirtRule    `json:",omitempty"`
}

// A LibvirtNetwork is a network that libvirt runs or knows, as its daemon finds it in files when it is started.
type LibvirtNetwork struct {
	Name string
	// Status is the file that says that it runs: /run/libvirt/network/NAME.xml. Empty if it does not run.
	Status string `json:",omitempty"`
	// Ports are the files of its ports, by their UUIDs.
	Ports []LibvirtPort `json:",omitempty"`
	// Definition is the file of a network that is kept for good: /etc/libvirt/qemu/networks/NAME.xml. Empty if it is not.
	Definition string `json:",omitempty"`
	// Autostart says that the daemon starts it when the machine has been started.
	Autostart bool `json:",omitempty"`
}

// A LibvirtPort is the file of one port: /run/libvirt/network/NAME/ports/ID.xml.
type LibvirtPort struct{ ID, Text string }

// A LibvirtServer is a dnsmasq that libvirt started and that runs.
type LibvirtServer struct {
	// Network is the name of the network, and Link its bridge.
	Network, Link string
	// Command is its command line.
	Command []string
}

// A LibvirtRule is a rule of a packet filter in one of libvirt's chains: of the tables libvirt_network, or with a name that
// begins with LIBVIRT_.
type LibvirtRule struct {
	// Family, Table and Chain are where it stands, in nft's words, and Text is what it says.
	Family, Table, Chain, Text string
	// Links and Subnets are those it is about.
	Links   []string       `json:",omitempty"`
	Subnets []netip.Prefix `json:",omitempty"`
}

// Network finds a network by its name, and is nil if there is none.
func (l *Libvirt) Network(name string) *LibvirtNetwork {
	for i := range l.Networks {
		if l.Networks[i].Name == name {
			return &l.Networks[i]
		}
	}
	return nil
}

// Server finds the server of a network, and is nil if none runs.
func (l *Libvirt) Server(network string) *LibvirtServer {
	for i := range l.Servers {
		if l.Servers[i].Network == network {
			return &l.Servers[i]
		}
	}
	return nil
}

// About reports whether a rule is about a link, or about one of the subnets: translations do not name the link.
func (r *LibvirtRule) About(link string, subnets []netip.Prefix) bool {
	return slices.Contains(r.Links, link) ||
		slices.ContainsFunc(r.Subnets, func(p netip.Prefix) bool { return slices.Contains(subnets, p) })
}

func (l *Libvirt) sort() {
	slices.SortFunc(l.Networks, func(a, b LibvirtNetwork) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(l.Servers, func(a, b LibvirtServer) int { return cmp.Compare(a.Network, b.Network) })
	slices.SortStableFunc(l.Rules, func(a, b LibvirtRule) int {
		return cmp.Or(cmp.Compare(a.Family, b.Family), cmp.Compare(a.Table, b.Table), cmp.Compare(a.Chain, b.Chain))
	})
}

// String is a line for each thing.
func (l Libvirt) String() string {
	var b strings.Builder
	if l.Daemon != 0 {
		fmt.Fprintf(&b, "libvirt daemon is process %d\n", l.Daemon)
	}
	for _, n := range l.Networks {
		fmt.Fprintf(&b, "libvirt network %s\n", n)
	}
	for _, s := range l.Servers {
		fmt.Fprintf(&b, "libvirt server of %s on %s: %s\n", s.Network, s.Link, strings.Join(s.Command, " "))
	}
	for _, r := range l.Rules {
		fmt.Fprintf(&b, "libvirt rule %s %s %s: %s\n", r.Family, r.Table, r.Chain, r.Text)
	}
	return b.String()
}

// String is the network in one line.
func (n LibvirtNetwork) String() string {
	s := n.Name
	for _, word := range []struct {
		is   bool
		text string
	}{{n.Status != "", "runs"}, {n.Definition != "", "defined"}, {n.Autostart, "autostart"}} {
		if word.is {
			s += " " + word.text
		}
	}
	if len(n.Ports) > 0 {
		s += fmt.Sprintf(" ports %d", len(n.Ports))
	}
	return s
}

// Equal reports whether all files of both are the same.
func (n *LibvirtNetwork) Equal(o LibvirtNetwork) bool { return sameJSON(*n, o) }

func (n *LibvirtNetwork) check() error {
	if err := checkFile(n.Name); err != nil {
		return err
	}
	if n.Autostart && n.Definition == "" {
		return invalid("network %q of libvirt is started by itself and not defined", n.Name)
	}
	for _, p := range n.Ports {
		if err := CheckID(p.ID); err != nil {
			return err
		}
	}
	return nil
}

// checkFile says whether libvirt can have a file of that name.
func checkFile(name string) error {
	if name == "" || name[0] == '.' || len(name) > 200 || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == '/' || r == 0x7f }) {
		return invalid("network %q of libvirt", name)
	}
	return nil
}
