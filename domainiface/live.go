// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/go-virtnet/virtnet/hostdev"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
)

// Live returns the interface as it is while its guest runs: what was asked for, with the name of the device, the id of the
// port and, for an interface on a network, an <actual> with all that it was given. Both the wish and what became of it are in
// it, so that it can be kept and attached again elsewhere: without the <actual>, the id and the name of the device it is
// what was asked for. It belongs to the caller; nil for a port that was made without [Attach].
func (p *Port) Live() *Interface {
	if p.Interface == nil {
		return nil
	}
	i := p.Interface.Clone()
	if p.Link != "" {
		if i.Target == nil {
			i.Target = new(Target)
		}
		i.Target.Dev = schema.Text(p.Link)
	}
	if i.Kind() == Network {
		i.Source.PortID = schema.Text(p.ID.String())
		i.Actual = actualOf(p.Document)
	}
	return i
}

// actualOf is what a port gives an interface: PT-2. The trust in the guest's filters is what holds, not what the interface
// says itself, which would be lost with the network's.
func actualOf(p *network.Port) *Actual {
	a := &Actual{
		Type: typeOf(p.Plug), VLAN: p.VLAN.Clone(), VirtualPort: p.VirtualPort.Clone(), Bandwidth: p.Bandwidth.Clone(), Port: p.Port.Clone(),
	}
	if p.RxFilters != nil {
		a.TrustGuestRxFilters = p.RxFilters.TrustGuest
	}
	if b := a.Bandwidth; b != nil {
		if b.ClassID.Uint() != 0 {
			a.Class = &Class{ID: b.ClassID}
		}
		b.ClassID = schema.Number{}
		if b.Inbound == nil && b.Outbound == nil && schema.IsBare(b.Extra) {
			a.Bandwidth = nil
		}
	}
	switch plug := p.Plug; a.Type {
	case Network, Bridge:
		a.Source = &Source{Bridge: plug.Bridge, MACTableManager: plug.MACTableManager}
	case Direct:
		a.Source = &Source{Dev: plug.Dev, Mode: SourceMode(plug.Mode)}
	case Hostdev:
		if plug.Managed == schema.Yes {
			a.Managed = schema.Yes
		}
		a.Source = &Source{Address: NewAddress(plug.Address.Key())}
		a.Driver = driverOf(plug.Driver)
	}
	return a
}

// driverOf is the driver of a device that a network hands over, nil where it names none.
func driverOf(d *hostdev.Driver) *Driver {
	if d == nil || d.Name == 0 && !d.Model.Given() {
		return nil
	}
	names := map[hostdev.DriverName]DriverName{hostdev.KVM: DriverKVM, hostdev.VFIO: DriverVFIO, hostdev.Xen: DriverXen}
	return &Driver{Name: names[d.Name], Model: d.Model}
}

// ActualPort returns the port that a running guest's interface has by its <actual>, with the plug, for
// [network.Manager.CreatePort] with Reclaim: PT-3. It has the id that the interface remembers; one that is no uuid leaves
// the port without. An interface without an <actual> wraps fs.ErrNotExist, one of a type that has no port
// errors.ErrUnsupported.
func (i *Interface) ActualPort(owner network.Owner) (*network.Port, error) {
	a := i.Actual
	if a == nil || i.Kind() != Network {
		return nil, fmt.Errorf("/interface/actual: nothing says what the interface was given: %w", fs.ErrNotExist)
	}
	p := &network.Port{
		Owner: &owner, VLAN: a.VLAN.Clone(), VirtualPort: a.VirtualPort.Clone(), Bandwidth: a.Bandwidth.Clone(), Port: a.Port.Clone(),
	}
	if i.MAC != nil {
		p.MAC = &network.MAC{Address: i.MAC.Address}
	}
	if s := i.Source; s != nil {
		p.Group = s.PortGroup.String()
		if id, err := schema.ParseUUID(s.PortID.String()); err == nil {
			p.UUID = id
		}
	}
	if a.TrustGuestRxFilters != 0 {
		p.RxFilters = &network.RxFilters{TrustGuest: a.TrustGuestRxFilters}
	}
	if a.Class != nil && a.Class.ID.Uint() != 0 && p.Bandwidth != nil {
		p.Bandwidth.ClassID = a.Class.ID
	}
	plug, err := a.plug()
	p.Plug = plug
	return p, err
}

func (a *Actual) plug() (*network.Plug, error) {
	s := a.Source
	if s == nil {
		s = new(Source)
	}
	switch a.Type {
	case Network:
		return &network.Plug{Type: network.PlugNetwork, Bridge: s.Bridge, MACTableManager: s.MACTableManager}, nil
	case Bridge:
		return &network.Plug{Type: network.PlugBridge, Bridge: s.Bridge, MACTableManager: s.MACTableManager}, nil
	case Direct:
		mode := s.Mode.Macvtap()
		if s.Mode == 0 {
			mode = schema.MacvtapVEPA
		}
		return &network.Plug{Type: network.PlugDirect, Dev: s.Dev, Mode: mode}, nil
	case Hostdev:
		k, ok := s.Address.PCI()
		if !ok {
			return nil, fmt.Errorf("/interface/actual/source/address: a port has a PCI device only: %w", errors.ErrUnsupported)
		}
		address := hostdev.NewAddress(k)
		address.Type = 0
		plug := &network.Plug{Type: network.PlugHostdevPCI, Managed: a.Managed, Driver: a.Driver.Hostdev(), Address: &address}
		if plug.Managed == 0 {
			plug.Managed = schema.No
		}
		return plug, nil
	}
	return nil, fmt.Errorf("/interface/actual/@type: type %s has no port: %w", a.Type, errors.ErrUnsupported)
}
