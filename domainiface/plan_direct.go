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

// planDirect plans the device of a guest that stands on a device of the host: a macvtap device, or for a container a macvlan
// device in its namespace. A macvtap device is up from then on, as taps are: the host has no addresses on it, so that nothing
// is said with the guest's address before the guest says it. A container switches its device on itself. A device below
// that is down is switched on. In mode passthrough it is the guest's, and is switched off again with it; otherwise it
// stays on, for others that came meanwhile.
func planDirect(g Guest, i *Interface, p *network.Port, link string, f *host.Facts, vepa network.VEPAPolicy) (host.Plan, error) {
	const from = "/interface"
	lower := f.Link(p.Plug.Dev.String())
	mode, note, err := chooseMode(p.Plug.Mode, f.Switch(lower.Name), vepa)
	if err != nil {
		return nil, fmt.Errorf("/interface/source/@mode: %w", err)
	}
	on, err := footingOf(i, mode, lower)
	if err != nil {
		return nil, err
	}
	plan, err := planLowerFunction(p, on.mac, lower, f)
	if err != nil {
		return nil, err
	}
	if op, ok := restart(plan); ok {
		on.was = op.VF.MAC // by then
	}
	if g.Namespace != "" {
		plan = append(plan, host.Step{From: from, Op: macvlan(g, i, p, on, lower), Note: note})
	} else {
		device, err := planMacvtap(i, p, on, link, lower, f)
		if err != nil {
			return nil, err
		}
		device[0].Note = note
		plan = append(plan, device...)
	}
	if !lower.Up {
		var raise host.Op = host.Raise{Link: lower.Name}
		if on.mode == host.Passthru {
			raise = host.SetUp{Link: lower.Name}
		}
		plan = append(plan, host.Step{From: "/interface/source", Op: raise})
	}
	plan = append(plan, planAssociate(p, on.mac, lower)...)
	profile, err := planProfile(g, p, on.mac, lower.Name, f.Function(lower.PCI))
	if err != nil {
		return nil, err
	}
	plan = append(plan, profile...)
	if g.Namespace != "" {
		return plan, nil
	}
	return append(plan, host.Step{From: from, Op: host.SetUp{Link: link}}), nil
}

// chooseMode returns the mode in which a guest is attached at a switch, and what is to be said about it. Mode private keeps
// guests apart on this host only.
func chooseMode(asked schema.MacvtapMode, s host.Switch, vepa network.VEPAPolicy) (mode schema.MacvtapMode, note string, err error) {
	switch {
	case asked == schema.MacvtapVEPA:
		return vepa.Choose(s)
	case asked == schema.MacvtapPrivate && s.Relay == host.RelayYes:
		note = "the switch at " + s.Link + " reflects: guests in mode private reach each other through it"
	}
	return asked, note, nil
}

// planMacvtap plans the device of a virtual machine, of which the host has no IPv6.
func planMacvtap(i *Interface, p *network.Port, on footing, link string, lower *host.Link, f *host.Facts) (host.Plan, error) {
	const from = "/interface"
	plan := host.Plan{{From: from, Op: macvtap(i, p, on, link, lower)}}
	if was, ok := f.Sysctl(ipv6Default); ok && (on.mtu == 0 || on.mtu >= minIPv6) && lower.MTU >= minIPv6 {
		plan = append(plan, host.Step{From: from, Op: host.SetSysctl{Key: "net/ipv6/conf/" + link + "/disable_ipv6", Value: "1", Was: was}})
	}
	shape, err := network.PlanShape(p.Bandwidth, "/interface/bandwidth", link, true, f.Shaping)
	return append(plan, shape...), err
}

// planLowerFunction puts a virtual function that a guest gets for itself into the guest's VLAN, and into none if the guest is
// in none. One whose card has fixed its address gets the guest's from the card: it may not take another one by itself. Its
// driver sees that only when it starts.
func planLowerFunction(p *network.Port, mac host.MAC, lower *host.Link, f *host.Facts) (host.Plan, error) {
	fn := f.Function(lower.PCI)
	if p.Plug.Mode != schema.MacvtapPassthrough || !isVirtual(fn) || switchType(p.VirtualPort) == virtualport.Qbh {
		return nil, nil // the profile decides about VLANs
	}
	op, from := functionSettings(fn, p), "/interface/vlan"
	if isFixed(fn, lower) && fn.VF.MAC != mac {
		op.VF.MAC, from = mac, "/interface/mac"
		op.Restart = host.Driver{Name: fn.Driver, Override: fn.Override, Link: lower.Name, MAC: mac, MTU: lower.MTU, Up: lower.Up}
	}
	if op.VF == op.Was {
		return nil, nil
	}
	if err := checkCard(fn, f); err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	return host.Plan{{From: from, Op: op}}, nil
}

// isFixed reports whether a card lets a function of it have no other address than the one that somebody has given it there:
// the device has it since its driver started, or gets it when that starts again.
func isFixed(fn *host.Function, l *host.Link) bool {
	return !fn.VF.MAC.IsZero() && fn.VF.Trust != host.On && (fn.Fixed || fn.VF.MAC != l.MAC)
}

// restart finds the step of a plan in which the driver of a function starts anew.
func restart(plan host.Plan) (host.SetFunction, bool) {
	for _, step := range plan {
		if op, ok := step.Op.(host.SetFunction); ok && op.Restart.Link != "" {
			return op, true
		}
	}
	return host.SetFunction{}, false
}

// isVirtual reports whether a card is a virtual function of another.
func isVirtual(fn *host.Function) bool { return fn != nil && fn.PF != "" && !fn.PCI.IsZero() }

// minIPv6 is the smallest MTU of a link that has IPv6, and parameters of it.
const minIPv6 = 1280

// A footing is how the device of a guest stands on one of the host.
type footing struct {
	// mode is the word of the kernel.
	mode string
	mac  host.MAC
	// was is the address that the device below has by itself, in mode passthru.
	was host.MAC
	// mtu of 0 is that of the device below.
	mtu int
}

// footingOf is how the device of an interface stands on the device lower in that mode.
func footingOf(i *Interface, mode schema.MacvtapMode, lower *host.Link) (footing, error) {
	on := footing{mode: mode.String(), mac: host.MAC(i.MAC.Address)}
	if mode == schema.MacvtapPassthrough {
		on.mode, on.was = host.Passthru, lower.MAC
	} else if on.mac == lower.MAC {
		return on, fmt.Errorf("/interface/mac/@address: %s has the address %s itself: %w", lower.Name, lower.MAC, fs.ErrExist)
	}
	if i.MTU != nil && i.MTU.Size.Uint() != 0 {
		on.mtu = int(min(i.MTU.Size.Uint(), maxUint32))
		if on.mtu > lower.MTU {
			return on, fmt.Errorf("/interface/mtu/@size: %d is above the %d of %s, on which the device stands: %w", on.mtu, lower.MTU, lower.Name, fs.ErrInvalid)
		}
	}
	return on, nil
}

// macvtap is the operation that makes the device of a virtual machine.
func macvtap(i *Interface, p *network.Port, on footing, link string, lower *host.Link) host.AddMacvtap {
	made := host.AddMacvtap{
		Link: link, Lower: lower.Name, Mode: on.mode, MAC: on.mac, Owner: ownerOf(p), MTU: on.mtu, Was: on.was,
		VnetHdr: i.Model == nil || i.Model.VnetHeader(),
	}
	if i.Driver != nil && i.Driver.Queues.Uint() > 1 {
		made.Queues = int(i.Driver.Queues.Uint())
	}
	return made
}

// macvlan is the operation that makes the device of a container. If the container is trusted with its filters, a device below
// that it has for itself takes what those say, and everything otherwise.
func macvlan(g Guest, i *Interface, p *network.Port, on footing, lower *host.Link) host.AddMacvlan {
	return host.AddMacvlan{
		Link: inside(i), Namespace: g.Namespace, Lower: lower.Name, Mode: on.mode, MAC: on.mac, Owner: ownerOf(p), MTU: on.mtu, Was: on.was,
		NoPromisc: on.mode == host.Passthru && trusted(p),
	}
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
	case g.Namespace != "" && p.Bandwidth != nil:
		return unsupported("/interface/bandwidth", "a container that is limited on a device of the host, as it could lift the limit in its namespace,")
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

// footing is how the device of a port stands on the device of the host of that name; none is the empty name.
func (p *Port) footing() (lower string, on footing) {
	for _, step := range p.Built {
		switch made := step.Op.(type) {
		case host.AddMacvtap:
			return made.Lower, footing{made.Mode, made.MAC, made.Was, made.MTU}
		case host.AddMacvlan:
			return made.Lower, footing{made.Mode, made.MAC, made.Was, made.MTU}
		}
	}
	return "", footing{}
}

// vepa is the policy by which the port stays in the mode that it has, whatever its switch says now.
func (p *Port) vepa() network.VEPAPolicy {
	if _, on := p.footing(); on.mode == schema.MacvtapBridge.String() {
		return network.VEPAFallBack
	}
	return network.VEPATrust
}

// asBefore makes facts of the device below the port's own what they were when the port was made, so that it is planned as
// it stands.
func (p *Port) asBefore(f *host.Facts) {
	p.functionBefore(f)
	name, on := p.footing()
	lower := f.Link(name)
	if lower == nil {
		return
	}
	if on.mode == host.Passthru {
		lower.MAC = on.was
	}
	if op, ok := restart(p.Built); ok {
		lower.MAC = op.Was.MAC
	}
	f.Switches = nil
	lower.Up = true
	for _, step := range p.Built {
		if step.Op == (host.SetUp{Link: name}) || step.Op == (host.Raise{Link: name}) {
			lower.Up = false
		}
	}
}
