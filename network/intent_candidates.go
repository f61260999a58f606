// SPDX-License-Identifier: Apache-2.0

package network

import (
	"slices"

	"github.com/go-virtnet/virtnet/hostdev"
	"github.com/go-virtnet/virtnet/network/schema"
)

// Candidates returns every mode of forwarding with every device of a host that it could use, and says which serve the
// intent: those first, the best first, then the others with their obstacles. A mode that serves another intent is
// there once, without a device.
//
//	for _, c := range network.ExternalSwitching.Candidates(devices) {
//		if c.Serves() {
//			return c.Network("outside")
//		}
//	}
func (i Intent) Candidates(devices []Device) []Candidate {
	serving := servingModes[min(int(i), len(servingModes)-1)]
	var all []Candidate
	for _, mode := range serving {
		all = append(all, i.candidates(mode, devices)...)
	}
	for mode := ForwardNone; mode <= ForwardHostdev; mode++ {
		if !slices.Contains(serving, mode) {
			all = append(all, Candidate{Mode: mode, Obstacles: []Obstacle{OtherIntent}})
		}
	}
	slices.SortStableFunc(all, func(a, b Candidate) int { return min(len(a.Obstacles), 1) - min(len(b.Obstacles), 1) })
	return all
}

// servingModes are the modes that can serve each intent, the best first.
var servingModes = [...][]ForwardMode{
	LocalSwitching:    {ForwardNAT, ForwardRoute, ForwardOpen, ForwardNone, ForwardBridge, ForwardHostdev},
	ExternalSwitching: {ForwardVEPA, ForwardHostdev},
	Isolation:         {ForwardPrivate, ForwardNAT, ForwardRoute, ForwardOpen, ForwardNone, ForwardBridge},
	ExclusiveDevice:   {ForwardPassthrough, ForwardHostdev},
}

// candidates returns the mode with each device. In mode bridge the bridges come first.
func (i Intent) candidates(mode ForwardMode, devices []Device) []Candidate {
	switch mode {
	case ForwardNone, ForwardNAT, ForwardRoute, ForwardOpen:
		return []Candidate{{Mode: mode, Isolated: i == Isolation}}
	}
	var all []Candidate
	for n := range devices {
		all = append(all, i.candidate(mode, &devices[n], devices))
	}
	if len(all) == 0 {
		return []Candidate{{Mode: mode, Obstacles: []Obstacle{NoDevice}}}
	}
	slices.SortStableFunc(all, func(a, b Candidate) int { return rank(a) - rank(b) })
	return all
}

// rank is 0 for a bridge of the host and 1 for other devices.
func rank(c Candidate) int {
	if c.onBridge {
		return 0
	}
	return 1
}

func (i Intent) candidate(mode ForwardMode, d *Device, devices []Device) Candidate {
	c := Candidate{Mode: mode, Device: d.Name}
	switch {
	case mode == ForwardHostdev:
		i.judgeHostdev(&c, d, devices)
	case mode == ForwardBridge && d.isBridge():
		c.onBridge = true
		c.Isolated = i == Isolation
		c.refuse(i == Isolation && d.Driver != "bridge", CannotBeIsolated)
	case mode == ForwardBridge && i == Isolation:
		c.refuse(true, OtherIntent)
	default:
		judgeMacvtap(&c, d, devices)
	}
	if !c.Serves() {
		c.Notes = nil
	}
	return c
}

func (c *Candidate) refuse(is bool, why Obstacle) {
	if is {
		c.Obstacles = append(c.Obstacles, why)
	}
}

func (c *Candidate) note(is bool, what Note) {
	if is {
		c.Notes = append(c.Notes, what)
	}
}

func (d *Device) isBridge() bool { return d.Driver == "bridge" || d.Driver == "openvswitch" }

// judgeMacvtap judges macvtap devices on d.
func judgeMacvtap(c *Candidate, d *Device, devices []Device) {
	c.refuse(d.Name == "lo", IsLoopback)
	c.refuse(d.Master != "", IsMember)
	c.refuse(d.isBridge(), IsBridge)
	c.refuse(d.Driver == "macvtap" || d.Driver == "macvlan", IsMacvtap)
	c.refuse(d.Driver == "tun" || d.Driver == "tap", IsTap)
	c.refuse(d.Wireless, IsWireless)
	whole := slices.Contains(d.Macvtaps, schema.MacvtapPassthrough)
	c.refuse(whole, TakenWhole)
	if c.Mode == ForwardPassthrough {
		c.refuse(len(d.Macvtaps) > 0 && !whole, HasMacvtaps)
		c.refuse(d.HostUses, HostNeedsIt)
		c.refuse(pfDown(d, devices), PFDown)
	}
	c.note(!d.Up, BringsUp)
	c.note(d.HostUses, HostUnreachable)
	switch c.Mode {
	case ForwardVEPA:
		c.noteReflection(d)
	case ForwardPrivate:
		c.note(d.Reflects != schema.No, WeakIsolation)
	}
}

// noteReflection notes whether guests reach each other by way of the switch outside.
func (c *Candidate) noteReflection(d *Device) {
	c.note(d.Reflects == schema.No, NoReflection)
	c.note(d.Reflects == 0, NeedsReflection)
}

// judgeHostdev judges handing over d, or its virtual functions.
func (i Intent) judgeHostdev(c *Candidate, d *Device, devices []Device) {
	c.pf, c.pci = d.VFs > 0, d.PCI
	c.refuse(d.Master != "" && !c.pf, IsMember)
	c.refuse(d.PCI == (hostdev.Key{}) && !c.pf, NotPCI)
	if !c.pf {
		c.refuse(len(d.Macvtaps) > 0, HasMacvtaps)
		c.refuse(d.HostUses, HostNeedsIt)
	}
	c.refuse(pfDown(d, devices), PFDown)
	if i == ExclusiveDevice {
		return
	}
	function := c.pf || d.PF != ""
	c.refuse(!function, NoFunctions)
	mode := switchMode(d, devices)
	switch i {
	case LocalSwitching:
		c.refuse(function && mode == schema.MacvtapVEPA, SwitchElsewhere)
	case ExternalSwitching:
		c.refuse(function && mode != schema.MacvtapVEPA, SwitchInside)
		c.noteReflection(pfOf(d, devices))
	}
}

// pfOf returns the physical function of d, d itself if it is none.
func pfOf(d *Device, devices []Device) *Device {
	for n := range devices {
		if d.PF != "" && devices[n].Name == d.PF {
			return &devices[n]
		}
	}
	return d
}

// pfDown reports whether d is a virtual function that does not work because its physical function is down.
func pfDown(d *Device, devices []Device) bool {
	pf := pfOf(d, devices)
	return pf != d && !pf.Up
}

// switchMode returns the mode of the switch that d is connected to inside its network card: VEB when nobody says.
func switchMode(d *Device, devices []Device) schema.MacvtapMode {
	if d.Switch != 0 {
		return d.Switch
	}
	if pf := pfOf(d, devices); pf.Switch != 0 {
		return pf.Switch
	}
	return schema.MacvtapBridge
}
