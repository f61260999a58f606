// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"fmt"
	"io/fs"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/virtualport"
)

// planDirect plans the device of a guest that stands on a device of the host. It is up from then on, as taps are: the
// host has no addresses on it, so that nothing is said with the guest's address before the guest says it. A device below
// that is down is switched on. In mode passthrough it is the guest's, and is switched off again with it; otherwise it
// stays on, for others that came meanwhile.
func planDirect(g Guest, i *Interface, p *network.Port, link string, f *host.Facts, vepa network.VEPAPolicy) (host.Plan, error) {
	const from = "/interface"
	lower := f.Link(p.Plug.Dev.String())
	mode, note := p.Plug.Mode, ""
	if mode == schema.MacvtapVEPA {
		var err error
		if mode, note, err = vepa.Choose(f.Switch(lower.Name)); err != nil {
			return nil, fmt.Errorf("/interface/source/@mode: %w", err)
		}
	}
	made, err := macvtap(i, p, mode, link, lower)
	if err != nil {
		return nil, err
	}
	plan, err := planLowerFunction(p, lower, f)
	if err != nil {
		return nil, err
	}
	plan = append(plan, host.Step{From: from, Op: made, Note: note})
	if was, ok := f.Sysctl(ipv6Default); ok && (made.MTU == 0 || made.MTU >= minIPv6) && lower.MTU >= minIPv6 {
		plan = append(plan, host.Step{From: from, Op: host.SetSysctl{Key: "net/ipv6/conf/" + link + "/disable_ipv6", Value: "1", Was: was}})
	}
	shape, err := network.PlanShape(p.Bandwidth, "/interface/bandwidth", link, true, f.Shaping)
	if err != nil {
		return nil, err
	}
	plan = append(plan, shape...)
	if !lower.Up {
		var raise host.Op = host.Raise{Link: lower.Name}
		if made.Mode == host.Passthru {
			raise = host.SetUp{Link: lower.Name}
		}
		plan = append(plan, host.Step{From: "/interface/source", Op: raise})
	}
	plan = append(plan, planAssociate(p, made.MAC, lower)...)
	profile, err := planProfile(g, p, made.MAC, lower, f)
	if err != nil {
		return nil, err
	}
	plan = append(plan, profile...)
	return append(plan, host.Step{From: from, Op: host.SetUp{Link: link}}), nil
}

// planLowerFunction puts a virtual function that a guest gets for itself into the guest's VLAN, and into none if the guest is
// in none.
func planLowerFunction(p *network.Port, lower *host.Link, f *host.Facts) (host.Plan, error) {
	fn := f.Function(lower.PCI)
	if p.Plug.Mode != schema.MacvtapPassthrough || !isVirtual(fn) || p.VirtualPort != nil && p.VirtualPort.Type == virtualport.Qbh {
		return nil, nil // the profile decides about VLANs
	}
	op := functionSettings(fn, p)
	if op.VF == op.Was {
		return nil, nil
	}
	const from = "/interface/vlan"
	if err := checkCard(fn, f); err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	return host.Plan{{From: from, Op: op}}, nil
}

// isVirtual reports whether a card is a virtual function of another.
func isVirtual(fn *host.Function) bool { return fn != nil && fn.PF != "" && !fn.PCI.IsZero() }

// minIPv6 is the smallest MTU of a link that has IPv6, and parameters of it.
const minIPv6 = 1280

// macvtap is the operation that makes the device of a guest in that mode on the device lower.
func macvtap(i *Interface, p *network.Port, mode schema.MacvtapMode, link string, lower *host.Link) (host.AddMacvtap, error) {
	made := host.AddMacvtap{
		Link: link, Lower: lower.Name, Mode: mode.String(), MAC: host.MAC(i.MAC.Address), Owner: ownerOf(p),
		VnetHdr: i.Model == nil || i.Model.VnetHeader(),
	}
	if mode == schema.MacvtapPassthrough {
		made.Mode, made.Was = host.Passthru, lower.MAC
	} else if made.MAC == lower.MAC {
		return made, fmt.Errorf("/interface/mac/@address: %s has the address %s itself: %w", lower.Name, lower.MAC, fs.ErrExist)
	}
	if i.Driver != nil && i.Driver.Queues.Uint() > 1 {
		made.Queues = int(i.Driver.Queues.Uint())
	}
	if i.MTU != nil && i.MTU.Size.Uint() != 0 {
		made.MTU = int(min(i.MTU.Size.Uint(), maxUint32))
		if made.MTU > lower.MTU {
			return made, fmt.Errorf("/interface/mtu/@size: %d is above the %d of %s, on which the device stands: %w", made.MTU, lower.MTU, lower.Name, fs.ErrInvalid)
		}
	}
	return made, nil
}

// checkDirect refuses what the device below cannot do for the port, and what is not done.
func checkDirect(g Guest, i *Interface, p *network.Port, f *host.Facts, rules schema.Rules) error {
	seen := i.Clone()
	if seen.Kind() == Network {
		seen.Actual = actualOf(p)
	}
	if err := seen.ValidateHost(f, rules); err != nil {
		return err
	}
	lower := f.Link(p.Plug.Dev.String())
	switch {
	case g.Namespace != "":
		return unsupported("/interface/source", "a container to a device of the host")
	case p.VirtualPort != nil && p.VirtualPort.Type == virtualport.Qbg:
		return checkAssociate(p, lower)
	case p.VirtualPort != nil && p.VirtualPort.Type != virtualport.Qbh:
		return unsupported("/interface/virtualport", "a profile of this kind")
	case p.VLAN != nil && !isVirtual(f.Function(lower.PCI)):
		return fmt.Errorf("/interface/vlan: %s is no virtual function of a card, and only those can be put in a VLAN: %w", lower.Name, fs.ErrInvalid)
	}
	return nil
}

// macvtap finds the operation that made the device of a port, if that is one of a device of the host.
func (p *Port) macvtap() (host.AddMacvtap, bool) {
	for _, step := range p.Built {
		if made, ok := step.Op.(host.AddMacvtap); ok {
			return made, true
		}
	}
	return host.AddMacvtap{}, false
}

// vepa is the policy by which the port stays in the mode that it has, whatever its switch says now.
func (p *Port) vepa() network.VEPAPolicy {
	if made, ok := p.macvtap(); ok && made.Mode == schema.MacvtapBridge.String() {
		return network.VEPAFallBack
	}
	return network.VEPATrust
}

// asBefore makes facts of the device below the port's own what they were when the port was made, so that it is planned as
// it stands.
func (p *Port) asBefore(f *host.Facts) {
	p.functionBefore(f)
	made, ok := p.macvtap()
	if !ok {
		return
	}
	lower := f.Link(made.Lower)
	if lower == nil {
		return
	}
	if made.Mode == host.Passthru {
		lower.MAC = made.Was
	}
	f.Switches = nil
	lower.Up = true
	for _, step := range p.Built {
		if step.Op == (host.SetUp{Link: made.Lower}) || step.Op == (host.Raise{Link: made.Lower}) {
			lower.Up = false
		}
	}
}
