// SPDX-License-Identifier: Apache-2.0

package domainiface

import "github.com/go-virtnet/virtnet/network/schema"

// checkSource checks that i says what it is connected to.
func (i *Interface) checkSource(c *schema.Check) {
	s, kind := i.Source, i.Kind()
	if s == nil {
		s = new(Source)
	}
	c.In("source", func() {
		s.checkNeeded(c, kind)
		s.checkMode(c, kind)
		s.checkNames(c, kind)
		c.Rule(kind != User && kind != VhostUser || !s.Dev.Given() || i.Backend.passt(), "source-dev-passt", "@dev",
			"a device can be given only for the backend passt")
		c.Rule(kind == Ethernet || len(s.IPs)+len(s.Routes) == 0, "source-ip-type", "",
			"type %s has no addresses and routes on the host; those of the guest stand outside of <source>", kind)
		for n := range s.IPs {
			c.At("ip", n, func() { s.IPs[n].check(c) })
		}
		for n := range s.Routes {
			c.At("route", n, func() { s.Routes[n].Check(c) })
		}
	})
	i.checkLost(c)
}

// checkNeeded checks that what the type cannot do without is there.
func (s *Source) checkNeeded(c *schema.Check, kind Type) {
	switch kind {
	case Network:
		c.Rule(s.Network.Given(), "source-network", "@network", "type network needs the name of a network")
		c.Deviates(s.Network != schema.Empty, SourceEmpty, "@network", "type network needs the name of a network")
	case Bridge:
		c.Rule(s.Bridge.Given(), "source-bridge", "@bridge", "type bridge needs the name of a bridge")
		c.Deviates(s.Bridge != schema.Empty, SourceEmpty, "@bridge", "type bridge needs the name of a bridge")
	case Direct, VDPA:
		c.Rule(s.Dev.Given(), "source-dev", "@dev", "type %s needs a device of the host", kind)
		c.Deviates(s.Dev != schema.Empty, SourceEmpty, "@dev", "type %s needs a device of the host", kind)
	case Hostdev:
		s.checkHostdev(c)
	case Server, Client, MCast, UDP:
		c.Rule(s.Host.Given() || kind == Server, "source-host", "@address", "type %s needs an address", kind)
		c.Rule(s.PortNumber.Given(), "source-port", "@port", "type %s needs a port", kind)
		local := s.Local != nil && s.Local.Address.Given() && s.Local.Port.Given()
		c.Rule(local || kind != UDP, "source-local", "local", "type udp needs a <local> with an address and a port")
	case Internal:
		c.Rule(s.Name.Given(), "source-name", "@name", "type internal needs the name of a network")
	case VDS:
		c.Rule(s.SwitchID.Given(), "source-switchid", "@switchid", "type vds needs a switch")
	}
}

// checkMode checks the attributes whose words depend on the type.
func (s *Source) checkMode(c *schema.Check, kind Type) {
	switch kind {
	case Direct:
		c.Rule(s.Mode <= ModePassthrough, "source-mode", "@mode", "type direct has the modes vepa, private, bridge and passthrough")
	case VhostUser:
		c.Rule(s.Mode == 0 || s.Mode >= ModeClient, "source-mode-vhostuser", "@mode", "type vhostuser has the modes client and server")
		if r := s.Reconnect; r != nil {
			c.Rule(r.Enabled != schema.Yes || r.Timeout.Given(), "reconnect-timeout", "reconnect", "to connect again needs a timeout")
		}
	}
}

// checkNames checks the names of what is on the host.
func (s *Source) checkNames(c *schema.Check, kind Type) {
	device := func(name schema.Text, where string) {
		if name != "" && name != schema.Empty {
			c.Deviates(schema.IsDevice(name.String()), SourceDevice, where, "%s is not %s", schema.Quote(name.String()), schema.WantDevice)
		}
	}
	switch kind {
	case Network:
		c.Deviates(!schema.HasControl(s.Network.String()), SourceName, "@network", "%s has control characters", schema.Quote(s.Network.String()))
		c.Deviates(!schema.HasControl(s.PortGroup.String()), SourceName, "@portgroup", "%s has control characters", schema.Quote(s.PortGroup.String()))
	case Bridge:
		device(s.Bridge, "@bridge")
	case Direct:
		device(s.Dev, "@dev")
	}
}

// checkHostdev checks the device of the host that is handed over.
func (s *Source) checkHostdev(c *schema.Check) {
	a := s.Address
	usb := a != nil && a.Type == usbBus || (a == nil || !a.Type.Given()) && s.Vendor != nil
	if !c.Rule(usb || a != nil && a.Type == pciBus, "source-address", "address", "type hostdev needs an address with type pci or usb") {
		return
	}
	switch {
	case a == nil:
	case usb:
		c.In("address", func() { a.checkUSB(c) })
	default:
		c.In("address", func() { a.checkPCI(c) })
	}
}

// checkLost refuses what connects an interface of another type. The words of a running guest's form pass:
// there an interface on a network has the type of what it was given.
func (i *Interface) checkLost(c *schema.Check) {
	s, kind := i.Source, i.Kind()
	if s == nil {
		return
	}
	lost := func(given bool, where string, types ...Type) {
		for _, t := range types {
			given = given && kind != t
		}
		c.Deviates(!given, SourceLost, "source/"+where, "type %s has no use for it", kind)
	}
	lost(s.Network.Given(), "@network", Network, Bridge, Direct)
	lost(s.PortGroup.Given(), "@portgroup", Network, Bridge, Direct)
	lost(s.Bridge.Given(), "@bridge", Bridge, Network)
	lost(s.Dev.Given(), "@dev", Direct, User, VhostUser, VDPA)
	lost(s.Mode != 0, "@mode", Direct, VhostUser)
	lost(s.Address != nil, "address", Hostdev)
	lost(s.WriteFiltering != 0, "@writeFiltering", Hostdev)
}
