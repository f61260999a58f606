// SPDX-License-Identifier: Apache-2.0

package network

import (
	"io/fs"

	"github.com/go-virtnet/virtnet/hostdev"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/qos"
)

// allocate gives a new port of a running network what the network has for it: a device by the mode of the network, and a
// traffic class if it wants a floor (AL-9, AL-10). The port is resolved, and its plug has all but the device; that and the
// class are entered into p. The port is in the table afterwards; if anything fails nothing has changed.
//
// What is not to be had wraps ErrFull, a port that exists fs.ErrExist, a network without devices fs.ErrNotExist, and a
// floor where none can be guaranteed errors.ErrUnsupported.
func (t *portTable) allocate(live *Network, p *Port) error {
	return t.allocateLike(live, p, held{})
}

// held is what a port had before it was given back.
type held struct {
	device hostdev.Device
	class  uint64
}

// allocateLike is allocate for a port that keeps what it had where it can.
func (t *portTable) allocateLike(live *Network, p *Port, had held) error {
	e := &portEntry{portKey: portKey{live.Name, p.UUID}}
	if t.ports[e.portKey] != nil {
		return fail(fs.ErrExist, "/networkport/uuid: network %q has port %s already", live.Name, p.UUID)
	}
	if p.Plug == nil || p.Plug.Type == 0 || p.Plug.Type == PlugNone {
		return fail(fs.ErrInvalid, "/networkport/plug: a port of network %q needs one", live.Name)
	}
	if p.Plug.Type == PlugDirect || p.Plug.Type == PlugHostdevPCI {
		d, err := t.choose(live, p, had.device)
		if err != nil {
			return err
		}
		e.device = d
	}
	if err := t.admit(live, 0, p.floor()); err != nil {
		return err
	}
	if p.floor() > 0 {
		class, err := t.newClass(live, had.class)
		if err != nil {
			return err
		}
		e.class = class
	}
	switch p.Plug.Type {
	case PlugDirect:
		p.Plug.Dev = schema.Text(e.device.Name)
	case PlugHostdevPCI:
		a := hostdev.NewAddress(e.device.PCI)
		a.Type = 0
		p.Plug.Address = &a
	}
	if p.Bandwidth != nil && (e.class != 0 || !t.rules.Skips(OwnClass)) {
		p.Bandwidth.ClassID = classID(e.class)
	}
	e.port = p.Clone()
	t.add(e)
	return nil
}

func classID(class uint64) schema.Number {
	if class == 0 {
		return schema.Number{}
	}
	return schema.Num(class)
}

// choose chooses a device for a port: POOL-1 to POOL-3.
func (t *portTable) choose(live *Network, p *Port, had hostdev.Device) (hostdev.Device, error) {
	n := t.network(live.Name)
	if n.pool == nil || n.pool.Len() == 0 {
		return hostdev.Device{}, fail(fs.ErrNotExist, "/network/forward: network %q is of mode %s and has no devices", live.Name, live.Mode())
	}
	alone := p.isAlone()
	if !had.IsZero() {
		if d := t.identify(had); n.pool.Obstacle(d, alone) == nil {
			return n.offers[d].device, nil
		}
	}
	pick := n.pool.Least
	if alone {
		pick = n.pool.Free
	}
	d, ok := pick()
	switch {
	case ok:
		return n.offers[d].device, nil
	case alone:
		return d, fail(ErrFull, "/network/forward: no device of network %q is free: %s", live.Name, n.obstacles(true))
	}
	return d, fail(ErrFull, "/network/forward: no device of network %q can be used: %s", live.Name, n.obstacles(false))
}

// attach enters a port of no network, which brings its device with it. The facts are those of the device. One that
// somebody else has, or uses while the port wants it alone, wraps fs.ErrExist.
func (t *portTable) attach(p *Port, f *host.Facts) error {
	e := &portEntry{portKey: portKey{"", p.UUID}}
	if t.ports[e.portKey] != nil {
		return fail(fs.ErrExist, "/networkport/uuid: there is a port %s already", p.UUID)
	}
	t.learn(f)
	e.device = t.locate(p.Plug.device())
	if h := t.held("", t.identify(e.device), p.isAlone()); h != nil && !e.device.IsZero() && !t.rules.Skips(HeldElsewhere) {
		return fail(fs.ErrExist, "%s: %s %s", p.Plug.devicePath(), e.device, h)
	}
	if why := t.groupHeld(f.Function(host.PCI(e.device.PCI)), p); why != "" {
		return fail(fs.ErrExist, "%s: %s %s", p.Plug.devicePath(), e.device, why)
	}
	e.port = p.Clone()
	t.add(e)
	return nil
}

func (p *Plug) devicePath() string {
	if p.Type == PlugDirect {
		return "/networkport/plug/@dev"
	}
	return "/networkport/plug/address"
}

// reclaim takes back a port whose guest runs, with the plug that it has: RN-2 to RN-7. Its floor is guaranteed again, in
// the class that it has if that is free and in another one otherwise; the class is entered into p. If anything fails
// nothing has changed, and the port can be entered as broken with [portTable.restore].
//
// A device that is not the network's wraps fs.ErrNotExist, one that another port has fs.ErrExist.
func (t *portTable) reclaim(live *Network, p *Port) error {
	e := &portEntry{portKey: portKey{live.Name, p.UUID}}
	if t.ports[e.portKey] != nil {
		return fail(fs.ErrExist, "/networkport/uuid: network %q has port %s already", live.Name, p.UUID)
	}
	if p.Plug == nil || p.Plug.Type == 0 || p.Plug.Type == PlugNone {
		return fail(fs.ErrInvalid, "/networkport/plug: a port that is taken back needs one")
	}
	var err error
	switch p.Plug.Type {
	case PlugNetwork, PlugBridge:
		err = t.reclaimBridge(live, p)
	default:
		e.device, err = t.reclaimDevice(live, p)
	}
	if err != nil {
		return err
	}
	if !t.rules.Skips(ReclaimFloor) {
		if e.class, err = t.reclaimClass(live, p); err != nil {
			return err
		}
		if p.Bandwidth != nil {
			p.Bandwidth.ClassID = classID(e.class)
		}
	}
	e.port = p.Clone()
	t.add(e)
	return nil
}

func (t *portTable) reclaimBridge(live *Network, p *Port) error {
	switch {
	case live.Bridge == nil || live.Bridge.Name == "":
		return fail(fs.ErrNotExist, "/networkport/plug/@bridge: network %q of mode %s has no bridge", live.Name, live.Mode())
	case live.Bridge.Name != p.Plug.Bridge.String() && !t.rules.Skips(ReclaimBridge):
		return fail(fs.ErrInvalid, "/networkport/plug/@bridge: %s is not the bridge of network %q, which is %s", p.Plug.Bridge, live.Name, live.Bridge.Name)
	}
	return nil
}

func (t *portTable) reclaimDevice(live *Network, p *Port) (hostdev.Device, error) {
	n := t.network(live.Name)
	device := t.locate(p.Plug.device())
	d := t.identify(device)
	if n.pool == nil || !n.pool.Has(d) {
		return device, fail(fs.ErrNotExist, "%s: %s is no device of network %q", p.Plug.devicePath(), device, live.Name)
	}
	device = n.offers[d].device
	if h := t.held(live.Name, d, p.isAlone()); h != nil {
		return device, fail(fs.ErrExist, "%s: %s %s", p.Plug.devicePath(), device, h)
	}
	return device, nil
}

func (t *portTable) reclaimClass(live *Network, p *Port) (uint64, error) {
	if err := t.admit(live, 0, p.floor()); err != nil || p.floor() == 0 {
		return 0, err
	}
	return t.newClass(live, p.Bandwidth.ClassID.Uint())
}

// setBandwidth gives a port another bandwidth: section 5.5. The floor that it had counts as given back. It returns the
// document of the port as it is then; if anything fails nothing has changed.
func (t *portTable) setBandwidth(live *Network, id schema.UUID, b *qos.Bandwidth) (*Port, error) {
	old, err := t.entry(live.Name, id)
	if err != nil {
		return nil, err
	}
	e := *old
	e.port = old.port.Clone()
	e.port.Bandwidth = b.Clone()
	had, wants := uint64(0), e.port.floor()
	if old.class != 0 {
		had = old.port.floor()
	}
	if had != wants {
		if err := t.admit(live, had, wants); err != nil {
			return nil, err
		}
	}
	switch {
	case wants == 0:
		e.class = 0
	case e.class == 0:
		if e.class, err = t.newClass(live, 0); err != nil {
			return nil, err
		}
	}
	if e.port.Bandwidth != nil {
		e.port.Bandwidth.ClassID = classID(e.class)
	}
	t.remove(old)
	t.add(&e)
	return e.port.Clone(), nil
}

// replace puts a new port of a network in the place of an old one, which counts as given back: the new one may have its
// device and its floor. If anything fails nothing has changed.
func (t *portTable) replace(live *Network, old schema.UUID, p *Port) error {
	e, err := t.entry(live.Name, old)
	if err != nil {
		return err
	}
	if t.rules.Skips(PortGivesBack) {
		if err := t.allocate(live, p); err != nil {
			return err
		}
		t.remove(e)
		return nil
	}
	t.remove(e)
	if err := t.allocateLike(live, p, held{e.device, e.class}); err != nil {
		t.add(e)
		return err
	}
	return nil
}

// connections returns a copy of a live document that tells how many ports the network has, and its devices. With a <pf>
// the devices that it stands for are listed.
func (t *portTable) connections(live *Network) *Network {
	c := live.Clone()
	c.Connections = schema.Number{}
	n := t.networks[live.Name]
	if n != nil && n.ports > 0 {
		c.Connections = schema.Num(uint64(n.ports))
	}
	if c.Forward == nil {
		return c
	}
	if c.handsOut() && c.Forward.expands(t.rules) && n != nil && n.pool != nil {
		t.list(c.Forward, c.Mode() == ForwardHostdev, n)
	}
	for i := range c.Forward.Interfaces {
		face := &c.Forward.Interfaces[i]
		face.Connections = schema.Number{}
		if h := t.holdings[t.identify(hostdev.Device{Name: face.Dev.String()})]; h != nil && h.users[live.Name] > 0 {
			face.Connections = schema.Num(uint64(h.users[live.Name]))
		}
	}
	return c
}

// list lists the devices that a <pf> stands for.
func (t *portTable) list(f *Forward, whole bool, n *portNetwork) {
	f.Interfaces, f.Addresses = nil, nil
	for _, d := range n.pool.Devices() {
		switch device := n.offers[d].device; {
		case whole:
			f.Addresses = append(f.Addresses, hostdev.NewAddress(device.PCI))
		case device.Name != "":
			f.Interfaces = append(f.Interfaces, Interface{Dev: schema.Text(device.Name)})
		}
	}
}
