// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"fmt"
	"io/fs"

	"github.com/go-virtnet/virtnet/hostdev"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/virtualport"
)

// passthroughDriver hands a card over that needs no driver of its own for that.
const passthroughDriver = "vfio-pci"

// planFunction plans that a guest gets a virtual function of a card whole, with a profile of 802.1Qbh if the port has one. The function is taken from its driver first: one
// of the host would start anew with the guest's address. So it has its own again before that driver gets it back.
func planFunction(g Guest, i *Interface, p *network.Port, f *host.Facts) (host.Plan, error) {
	const from = "/interface/source/address"
	if err := supportedFunction(g, i, p); err != nil {
		return nil, err
	}
	place := host.PCI(p.Plug.Address.Key())
	fn := f.Function(place)
	if fn == nil {
		return nil, fmt.Errorf("%s: the host has no card %s: %w", from, place, fs.ErrNotExist)
	}
	if err := checkCard(fn, f); err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	plan, err := handOver(p.Plug, fn, f)
	if err != nil {
		return nil, err
	}
	mac := host.MAC(i.MAC.Address)
	profile, err := planProfile(g, p, mac, fn.PF, fn)
	if err != nil {
		return nil, err
	}
	settings := functionSettings(fn, p)
	if profile == nil {
		settings.VF.MAC = mac
		if fn.Link != "" && !fn.Fixed {
			settings.Was.MAC = host.MAC{} // nobody gave it one: its driver makes up another, and is told the one that it had
		}
	}
	if trusted(p) {
		if settings.Was.Trust == host.Unknown {
			return nil, unsupported("/interface/@trustGuestRxFilters", "a function whose card does not tell whom it trusts")
		}
		settings.VF.Trust = host.On
	}
	if settings.VF != settings.Was {
		plan = append(plan, host.Step{From: "/interface", Op: settings})
	}
	return append(plan, profile...), nil
}

// supportedFunction refuses what cannot be done for a guest that has a function whole.
func supportedFunction(g Guest, i *Interface, p *network.Port) error {
	switch {
	case g.Namespace != "":
		return unsupported("/interface/source", "a container to a card")
	case p.VirtualPort != nil && p.VirtualPort.Type != virtualport.Qbh:
		return unsupported("/interface/virtualport", "a virtual function with a profile of another kind than 802.1Qbh")
	case i.MTU != nil && i.MTU.Size.Uint() != 0:
		return unsupported("/interface/mtu", "a function, whose guest sets the MTU,")
	case p.Plug.Driver != nil && p.Plug.Driver.Name != 0 && p.Plug.Driver.Name != hostdev.VFIO:
		return unsupported("/interface/driver/@name", "a function by way of "+p.Plug.Driver.Name.String())
	}
	return nil
}

// checkCard refuses a function whose card cannot be told what to do for it: settings that are made while a card is down are
// lost on some.
func checkCard(fn *host.Function, f *host.Facts) error {
	if fn.PF == "" {
		return fmt.Errorf("%s is no virtual function of a card with a network device here: %w", fn.PCI, fs.ErrInvalid)
	}
	if card := f.Link(fn.PF); card == nil || !card.Up {
		return fmt.Errorf("%s is a function of %s, which is down: ip link set %s up: %w", fn.PCI, fn.PF, fn.PF, fs.ErrInvalid)
	}
	return nil
}

// handOver gives a function to the driver that hands it over, unless that has it already. One that is not managed has to be
// with such a driver.
func handOver(plug *network.Plug, fn *host.Function, f *host.Facts) (host.Plan, error) {
	const from = "/interface/source/address"
	driver := ""
	if plug.Driver != nil {
		driver = plug.Driver.Model.String()
	}
	if host.PassesThrough(fn.Driver) && (driver == "" || driver == fn.Driver) {
		if s, ok := fn.Shared(); ok {
			return nil, fmt.Errorf("%s: %s is in IOMMU group %s with %s, which driver %s has: %w", from, fn.PCI, fn.Group, s.PCI, s.Driver, fs.ErrExist)
		}
		return nil, nil
	}
	if plug.Managed != schema.Yes {
		has := "no driver has it"
		if fn.Driver != "" {
			has = "driver " + fn.Driver + " has it"
		}
		return nil, fmt.Errorf("%s: %s is not managed and cannot be handed over, %s: with managed='yes' it is given to %s: %w",
			from, fn.PCI, has, passthroughDriver, fs.ErrInvalid)
	}
	if driver == "" {
		driver = passthroughDriver
	}
	op := host.SetDriver{
		PCI: fn.PCI, Generation: fn.Generation, Driver: host.Driver{Name: driver, Override: driver},
		Was: host.Driver{Name: fn.Driver, Override: fn.Override},
	}
	switch l := f.Link(fn.Link); {
	case l != nil:
		op.Was.Link, op.Was.MAC, op.Was.MTU, op.Was.Up = l.Name, l.MAC, l.MTU, l.Up
	case fn.Driver != "" && !host.PassesThrough(fn.Driver):
		return nil, fmt.Errorf("%s: driver %s has %s, without a network device here: it may be in use in another network namespace: %w",
			from, fn.Driver, fn.PCI, fs.ErrExist)
	}
	if err := op.Refusal(f); err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	return host.Plan{{From: from, Op: op}}, nil
}

// functionSettings puts a function into the VLAN of a port, and into none if the port is in none. With a profile of 802.1Qbh
// that decides.
func functionSettings(fn *host.Function, p *network.Port) host.SetFunction {
	op := host.SetFunction{PCI: fn.PCI, Generation: fn.Generation, PF: fn.PF, Index: fn.Index, VF: fn.VF, Was: fn.VF}
	if switchType(p.VirtualPort) == virtualport.Qbh {
		return op
	}
	op.VF.VLAN, op.VF.QoS, op.VF.Proto = 0, 0, ""
	if p.VLAN != nil {
		op.VF.VLAN = int(p.VLAN.Single())
	}
	return op
}

// functionBefore makes facts of the port's own function what they were when the port was made, so that it is planned as it
// stands.
func (p *Port) functionBefore(f *host.Facts) {
	for _, step := range p.Built {
		switch op := step.Op.(type) {
		case host.SetFunction:
			if fn := f.Function(op.PCI); fn != nil {
				fn.VF = host.SetFunction{VF: op.Was, Was: op.VF}.Next(fn.VF)
				fn.Fixed = fn.Fixed || p.Link == "" || op.Restart.Link != ""
			}
		case host.SetDriver:
			if fn := f.Function(op.PCI); fn != nil {
				fn.Driver, fn.Override, fn.Link = op.Was.Name, op.Was.Override, op.Was.Link
				f.Links = append(f.Links, host.Link{Name: op.Was.Link, MAC: op.Was.MAC, MTU: op.Was.MTU, Up: op.Was.Up, PCI: op.PCI})
			}
		}
	}
}
