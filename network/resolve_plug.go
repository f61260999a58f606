// SPDX-License-Identifier: Apache-2.0

package network

import (
	"io/fs"

	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/virtualport"
)

// plug says what the port is plugged into, and whether a device has to be chosen for it.
func (s *resolving) plug() error {
	n := s.n
	if n.Managed() || n.HostBridge() {
		return s.plugBridge()
	}
	const from = "/network/forward"
	f := n.Forward
	if f.devices() == 0 && f.PF == nil {
		return refuse(fs.ErrNotExist, "port-no-device", from, "a network of mode %s%s needs devices, and network %q has none", n.Mode(), n.withoutBridge(), n.Name)
	}
	p := &Plug{Type: PlugDirect, Mode: n.Mode().Macvtap()}
	s.res.Choice = ChooseShared
	t := schema.Setting{}
	if s.merged.Profile != nil && s.merged.Profile.Type == virtualport.Qbh {
		t, _ = s.merged.Setting("type")
	}
	by, path := schema.ByNetwork, from+"/@mode"
	switch {
	case n.Mode() == ForwardPassthrough || n.Mode() == ForwardHostdev:
		s.res.Choice = ChooseExclusive
	case n.Mode() == ForwardPrivate && t.Layer != 0:
		s.res.Choice, by, path = ChooseExclusive, t.Layer, t.Path // a port extender knows a port by its device
	}
	if n.Mode() == ForwardHostdev {
		p = &Plug{Type: PlugHostdevPCI, Managed: schema.No}
		if f.Managed == schema.Yes {
			p.Managed = schema.Yes
		}
		if f.Driver != nil && (f.Driver.Name != 0 || f.Driver.Model.Given()) {
			p.Driver = f.Driver.Clone()
		}
	}
	s.res.Port.Plug = p
	s.say("plug", p.Type.String(), "", schema.ByNetwork, from+"/@mode")
	s.say("device", "one of the network's, "+s.res.Choice.String(), "", by, path)
	if p.Type == PlugDirect {
		s.say("mode", p.Mode.String(), "", schema.ByNetwork, from+"/@mode")
		return nil
	}
	s.sayHostdev(p, f.Managed, schema.ByNetwork, from+"/@managed", from+"/driver")
	return nil
}

// sayHostdev tells how the device is handed over.
func (s *resolving) sayHostdev(p *Plug, managed schema.YesNo, by schema.Layer, path, driver string) {
	s.say("managed", managed.String(), "no", by, path)
	name, model := "", ""
	if p.Driver != nil {
		name, model = p.Driver.Name.String(), p.Driver.Model.String()
	}
	s.say("driver", name, "the host's choice", by, driver+"/@name")
	s.say("driver model", model, "the host's choice", by, driver+"/@model")
}

// ownPlug tells the plug that a port without a network brings with it, if it has one yet.
func (s *resolving) ownPlug() error {
	p := s.res.Port.Plug
	if p == nil {
		return nil
	}
	const by = schema.ByInterface
	s.say("plug", p.Type.String(), PlugNone.String(), by, s.Asks.PlugType)
	switch p.Type {
	case PlugNetwork, PlugBridge:
		s.say("device", p.Bridge.String(), "none", by, s.Asks.Plug+"/@bridge")
		s.say("mac table", p.MACTableManager.String(), schema.ManagedByKernel.String(), by, s.Asks.Plug+"/@macTableManager")
	case PlugDirect:
		s.say("device", p.Dev.String(), "none", by, s.Asks.Plug+"/@dev")
		s.say("mode", p.Mode.String(), schema.MacvtapVEPA.String(), by, s.Asks.Plug+"/@mode")
		if p.Mode == 0 {
			p.Mode = schema.MacvtapVEPA
		}
	case PlugHostdevPCI:
		device := ""
		if p.Address != nil {
			device = p.Address.String()
		}
		s.say("device", device, "none", by, s.Asks.Plug+"/address")
		s.sayHostdev(p, p.Managed, by, s.Asks.Managed, s.Asks.Driver)
		if p.Managed == 0 {
			p.Managed = schema.No
		}
	}
	return nil
}

// plugBridge plugs the port into the bridge of the network.
func (s *resolving) plugBridge() error {
	b := s.n.Bridge
	p := &Plug{Type: PlugNetwork}
	if s.n.HostBridge() {
		p.Type = PlugBridge
	}
	if b != nil {
		p.Bridge, p.MACTableManager = schema.Text(b.Name), b.MACTableManager
	}
	s.res.Port.Plug = p
	path := "/network/forward/@mode"
	by := schema.ByNetwork
	if s.n.Forward == nil {
		by, path = schema.ByDefault, ""
	}
	s.say("plug", p.Type.String(), "", by, path)
	s.say("device", p.Bridge.String(), "chosen when the network is defined", schema.ByNetwork, "/network/bridge/@name")
	s.say("mac table", p.MACTableManager.String(), schema.ManagedByKernel.String(), schema.ByNetwork, "/network/bridge/@macTableManager")
	return nil
}

// Macvtap returns the mode of the macvtap devices of a network of mode m, absent if it has none.
func (m ForwardMode) Macvtap() schema.MacvtapMode {
	switch m {
	case ForwardBridge:
		return schema.MacvtapBridge
	case ForwardPrivate:
		return schema.MacvtapPrivate
	case ForwardVEPA:
		return schema.MacvtapVEPA
	case ForwardPassthrough:
		return schema.MacvtapPassthrough
	}
	return 0
}
