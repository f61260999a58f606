// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"
	"net/netip"
	"slices"
)

// Disown makes libvirt forget a network that goes on, so that its daemon neither ends nor starts it when it is started
// again, nor when somebody asks it to: what virsh net-undefine would do, and
//
//	rm /etc/libvirt/qemu/networks/autostart/NAME.xml /etc/libvirt/qemu/networks/NAME.xml
//	rm /run/libvirt/network/NAME.xml
//
// The status goes last: as long as it is there the network is libvirt's. The daemon must not run, for it has all of this in
// its memory: that is fs.ErrPermission. A network that does not run, and one of which something is not as in the operation,
// is fs.ErrNotExist.
type Disown struct{ Network LibvirtNetwork }

// Own gives libvirt the network back that Disown with the same fields took, or what is missing of it. If nothing is, that is
// fs.ErrExist.
type Own Disown

// Check refuses names of no network, and a network that does not run.
func (o Disown) Check() error {
	if o.Network.Status == "" {
		return invalid("network %q of libvirt does not run", o.Network.Name)
	}
	return o.Network.check()
}

// Inverse gives it back.
func (o Disown) Inverse() Op { return Own(o) }

// Scope is what libvirt keeps.
func (o Disown) Scope() Scope { return Scope{Libvirt: true} }

// Holds if libvirt does not run the network.
func (o Disown) Holds(f *Facts) bool {
	n := f.Libvirt.Network(o.Network.Name)
	return n == nil || n.Status == ""
}

func (o Disown) String() string { return "libvirt forgets network " + o.Network.Name }

// Check is that of Disown.
func (o Own) Check() error { return Disown(o).Check() }

// Inverse takes it again.
func (o Own) Inverse() Op { return Disown(o) }

// Scope is that of Disown.
func (o Own) Scope() Scope { return Disown(o).Scope() }

// Holds if libvirt has all files of the network, whatever is in them by now.
func (o Own) Holds(f *Facts) bool {
	_, lacks := o.Missing(f.Libvirt.Network(o.Network.Name))
	return !lacks
}

// Missing is the part of the network that libvirt does not have, of which it has n; nil is nothing. Lacks reports whether that
// is anything.
func (o Own) Missing(n *LibvirtNetwork) (missing LibvirtNetwork, lacks bool) {
	missing = o.Network
	if n == nil {
		return missing, true
	}
	if n.Status != "" {
		missing.Status = ""
	}
	if n.Definition != "" {
		missing.Definition = ""
	}
	missing.Autostart = missing.Autostart && !n.Autostart
	missing.Ports = slices.DeleteFunc(slices.Clone(missing.Ports), func(p LibvirtPort) bool {
		return slices.ContainsFunc(n.Ports, func(has LibvirtPort) bool { return has.ID == p.ID })
	})
	return missing, missing.Status != "" || missing.Definition != "" || missing.Autostart || len(missing.Ports) > 0
}

func (o Own) String() string { return "libvirt gets back network " + o.Network.Name }

// DropRules removes what libvirt's packet filters say about a bridge and its subnets, in one transaction: nft delete rule,
// for each of them. The chains stay, and the rules of other networks with them. It comes after Disown and has no inverse:
// the rules are of a network that libvirt does not have any more. Doing it again is no error. Rules that iptables-legacy put
// into the older ip_tables are neither seen nor removed.
type DropRules struct {
	Link    string
	Subnets []netip.Prefix `json:",omitempty"`
}

// Check refuses names that are none, and what is no network.
func (o DropRules) Check() error {
	for _, p := range o.Subnets {
		if !p.IsValid() || p != p.Masked() {
			return invalid("rules about %s: not a network", p)
		}
	}
	return CheckName(o.Link)
}

// Inverse is nil: the rules were not ours.
func (o DropRules) Inverse() Op { return nil }

// Scope is what libvirt keeps.
func (o DropRules) Scope() Scope { return Scope{Libvirt: true} }

// Holds if there are no such rules.
func (o DropRules) Holds(f *Facts) bool {
	for i := range f.Libvirt.Rules {
		if f.Libvirt.Rules[i].About(o.Link, o.Subnets) {
			return false
		}
	}
	return true
}

func (o DropRules) String() string {
	return fmt.Sprintf("nft delete rules of libvirt about %s %v", o.Link, o.Subnets)
}
