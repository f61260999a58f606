// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"slices"
	"strconv"
	"strings"

	"github.com/go-virtnet/virtnet/network/schema"
)

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
		s.checkPorts(c, kind)
		local := s.Local != nil && s.Local.Address.Given() && s.Local.Port.Given()
		c.Rule(local || kind != UDP, "source-local", "local", "type udp needs a <local> with an address and a port")
	case Internal:
		c.Rule(s.Name.Given(), "source-name", "@name", "type internal needs the name of a network")
	case VDS:
		s.checkVDS(c)
	case VhostUser:
		c.Rule(!s.Type.Given() || s.Type == unixSocket, "source-type", "@type", "%s is not unix, the only type there is", schema.Quote(s.Type.String()))
	}
}

// checkPorts checks the numbers of the ports of a socket, of which libvirt takes any of 32 bits.
func (s *Source) checkPorts(c *schema.Check, kind Type) {
	check := func(text schema.Text, where string) {
		n, ok := numberOf(text)
		if c.Rule(ok, "source-port-number", where, "%s is not a number", schema.Quote(text.String())) {
			c.Deviates(!text.Given() || n >= 0 && n <= maxPort, SourcePort, where, "%s is not the number of a port: 0 to %d", schema.Quote(text.String()), maxPort)
		}
	}
	check(s.PortNumber, "@port")
	if s.Local != nil && kind == UDP {
		check(s.Local.Port, "local/@port")
	}
}

// numberOf returns the number that text is in decimal, 0 when absent.
func numberOf(text schema.Text) (n int, ok bool) {
	if !text.Given() {
		return 0, true
	}
	long, err := strconv.ParseInt(strings.TrimLeft(text.String(), " \t\n\v\f\r"), 10, 32)
	return int(long), err == nil
}

// checkVDS checks the switch of VMware and the port of it.
func (s *Source) checkVDS(c *schema.Check) {
	if c.Rule(s.SwitchID.Given(), "source-switchid", "@switchid", "type vds needs a switch") {
		_, err := schema.ParseUUID(s.SwitchID.String())
		c.Rule(err == nil, "source-switchid-uuid", "@switchid", "%s is not a UUID", schema.Quote(s.SwitchID.String()))
	}
	for _, n := range []struct{ where, text schema.Text }{{"@portid", s.PortID}, {"@connectionid", s.ConnectionID}} {
		_, err := longOf(n.text)
		c.Rule(err == nil, "source-vds-number", n.where.String(), "%s is not a whole number of 64 bits", schema.Quote(n.text.String()))
	}
}

// longOf returns the number that text is in any base of C, 0 when absent.
func longOf(text schema.Text) (int64, error) {
	if !text.Given() {
		return 0, nil
	}
	digits, minus := strings.CutPrefix(strings.TrimLeft(text.String(), " \t\n\v\f\r"), "-")
	var n schema.CNumber
	if err := n.UnmarshalText([]byte(digits)); err != nil || minus && (digits[0] < '0' || digits[0] > '9') {
		return 0, strconv.ErrSyntax
	}
	switch {
	case minus && n.Uint() <= 1<<63:
		return -int64(n.Uint()), nil
	case !minus && n.Uint() < 1<<63:
		return int64(n.Uint()), nil
	}
	return 0, strconv.ErrRange
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
			c.Rule(r.Timeout.Uint() <= maxUint32, "reconnect-timeout-range", "reconnect/@timeout", "%s is more than %d", r.Timeout, uint32(maxUint32))
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
	a, bus := s.Address, s.hostBus()
	if !c.Rule(bus != "", "source-address", "address", "type hostdev needs an address with type pci or usb") {
		return
	}
	if bus == pciBus {
		c.Rule(!s.StartupPolicy.Given(), "source-startup-usb", "@startupPolicy", "only devices on bus usb have a startupPolicy")
		c.In("address", func() { a.checkPCI(c, true) })
		return
	}
	s.checkUSBID(c)
	if a != nil {
		c.In("address", func() { a.checkUSB(c) })
	}
	c.Rule(!s.StartupPolicy.Given() || slices.Contains(startupPolicies, s.StartupPolicy.String()), "source-startup", "@startupPolicy",
		"%s is not %s", schema.Quote(s.StartupPolicy.String()), strings.Join(startupPolicies, ", "))
	c.Rule(!s.GuestReset.Given() || slices.Contains(guestResets, s.GuestReset.String()), "source-reset", "@guestReset",
		"%s is not %s", schema.Quote(s.GuestReset.String()), strings.Join(guestResets, ", "))
}

// startupPolicies and guestResets are the words for USB devices of the host.
var (
	startupPolicies = []string{"mandatory", "requisite", "optional"}
	guestResets     = []string{"off", "uninitialized", "on"}
)

// hostBus returns the bus that the device of the host is on (hostdev), "" for none that there is. One without a type of
// address is known by its kind of USB device.
func (s *Source) hostBus() string {
	if s == nil {
		return ""
	}
	switch a := s.Address; {
	case a != nil && (a.Type == pciBus || a.Type == usbBus):
		return a.Type.String()
	case (a == nil || a.Type.String() == "") && s.Vendor != nil:
		return usbBus
	}
	return ""
}

// checkUSBID checks the kind of USB device.
func (s *Source) checkUSBID(c *schema.Check) {
	if s.Vendor == nil {
		c.Rule(s.Product == nil, "source-vendor-none", "vendor", "a <product> needs a <vendor>")
		return
	}
	vendor, ok := addressNumber{text: s.Vendor.ID}.read()
	c.Rule(s.Vendor.ID.Given() && ok && vendor > 0, "source-vendor", "vendor/@id", "a <vendor> needs an id, a number from 1 on")
	if c.Rule(s.Product != nil, "source-product", "product", "a <vendor> needs a <product>") {
		_, ok := addressNumber{text: s.Product.ID}.read()
		c.Rule(s.Product.ID.Given() && ok, "source-product-id", "product/@id", "a <product> needs an id, a number")
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
	devices := []Type{Direct, VDPA}
	if i.Backend.passt() {
		devices = append(devices, User, VhostUser)
	}
	lost(s.Dev.Given(), "@dev", devices...)
	lost(s.Mode != 0, "@mode", Direct, VhostUser)
	lost(s.Address != nil, "address", Hostdev)
	lost(s.WriteFiltering != 0, "@writeFiltering", Hostdev)
	lost(s.StartupPolicy.Given(), "@startupPolicy", Hostdev)
	lost(s.GuestReset.Given(), "@guestReset", Hostdev)
}
