// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"fmt"
	"io"
	"io/fs"

	"github.com/go-virtnet/virtnet/hostdev"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/virtualport"
)

// Request returns the port that i asks for: what it says about its port of the switch and, unless it is on a network, what
// it is plugged into. The port has no owner and no uuid yet, and no plug where there is none that a port can have.
func (i *Interface) Request() *network.Port {
	p := &network.Port{
		VirtualPort: i.VirtualPort.Clone(), Bandwidth: i.Bandwidth.Clone(), VLAN: i.VLAN.Clone(), Port: i.Port.Clone(),
		Plug: i.plug(),
	}
	if i.MAC != nil {
		p.MAC = &network.MAC{Address: i.MAC.Address}
	}
	if i.TrustGuestRxFilters != 0 {
		p.RxFilters = &network.RxFilters{TrustGuest: i.TrustGuestRxFilters}
	}
	if i.Kind() == Network && i.Source != nil {
		p.Group = i.Source.PortGroup.String()
	}
	return p
}

// plug returns what i is plugged into without a network, nil if it is on one, or is of a type that has no port.
func (i *Interface) plug() *network.Plug {
	s := i.Source
	if s == nil {
		return nil
	}
	switch i.Kind() {
	case Bridge:
		return &network.Plug{Type: network.PlugBridge, Bridge: s.Bridge}
	case Direct:
		p := &network.Plug{Type: network.PlugDirect, Dev: s.Dev}
		if s.Mode != 0 {
			p.Mode = s.Mode.Macvtap()
		}
		return p
	case Hostdev:
		k, ok := s.Address.PCI()
		if !ok {
			return nil // a USB device
		}
		address := hostdev.NewAddress(k)
		address.Type = 0
		return &network.Plug{Type: network.PlugHostdevPCI, Managed: i.Managed, Driver: i.Driver.Hostdev(), Address: &address}
	}
	return nil
}

// Places are the paths in an <interface> of what [Interface.Request] asks for.
func Places() network.Places {
	return network.Places{
		Group: "/interface/source/@portgroup", VirtualPort: "/interface/virtualport", Bandwidth: "/interface/bandwidth",
		VLAN: "/interface/vlan", Isolated: "/interface/port/@isolated", TrustGuest: "/interface/@trustGuestRxFilters",
		PlugType: "/interface/@type", Plug: "/interface/source", Managed: "/interface/@managed", Driver: "/interface/driver",
	}
}

// Resolve works out the port that i gets on its network n, by the rules chosen; n is nil for an interface that is on none.
// Identities that nobody gives are made up from random; where that is nil, they are told but not made up. See
// [network.Resolver].
func (i *Interface) Resolve(n *network.Network, rules schema.Rules, random io.Reader) (*network.Resolution, error) {
	if err := i.checkNetwork(n); err != nil {
		return nil, err
	}
	return network.Resolver{Rules: rules, Random: random, Asks: Places()}.Resolve(n, i.Request())
}

// checkNetwork refuses a network that is not the one of i.
func (i *Interface) checkNetwork(n *network.Network) error {
	const path = "/interface/source/@network"
	want := ""
	if i.Kind() == Network && i.Source != nil {
		want = i.Source.Network.String()
	}
	switch {
	case i.Kind() == Network && n == nil:
		return fmt.Errorf("%s: network %q is not known: %w", path, want, fs.ErrNotExist)
	case i.Kind() != Network && n != nil:
		return fmt.Errorf("/interface/@type: type %s is on no network, so not on %q: %w", i.Kind(), n.Name, fs.ErrInvalid)
	case n != nil && n.Name != want:
		return fmt.Errorf("%s: the interface is on network %q, not on %q: %w", path, want, n.Name, fs.ErrInvalid)
	}
	return nil
}

// typeOf returns the type of an interface with that plug, absent if it has none.
func typeOf(p *network.Plug) Type {
	if p == nil {
		return 0
	}
	switch p.Type {
	case network.PlugNetwork:
		return Network
	case network.PlugBridge:
		return Bridge
	case network.PlugDirect:
		return Direct
	case network.PlugHostdevPCI:
		return Hostdev
	}
	return 0
}

// switchType returns the kind of switch of a profile, absent if there is none.
func switchType(v *virtualport.VirtualPort) virtualport.Type {
	if v == nil {
		return 0
	}
	return v.Type
}
