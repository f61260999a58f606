// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/go-virtnet/virtnet/network/host"
)

// blank is an answer without an address, from the host's own.
func (d *dhcp4) blank(a *ask, kind dhcpv4.MessageType) *dhcpv4.DHCPv4 {
	out := &dhcpv4.DHCPv4{
		OpCode: dhcpv4.OpcodeBootReply, HWType: a.HWType, TransactionID: a.TransactionID, Flags: a.Flags,
		ClientIPAddr: net.IPv4zero, YourIPAddr: net.IPv4zero, ServerIPAddr: net.IPv4zero,
		GatewayIPAddr: a.GatewayIPAddr, ClientHWAddr: a.ClientHWAddr, Options: dhcpv4.Options{},
	}
	if kind != dhcpv4.MessageTypeNone {
		out.UpdateOption(dhcpv4.OptMessageType(kind))
		out.UpdateOption(dhcpv4.OptServerIdentifier(a.subnet.Prefix.Addr().AsSlice()))
	}
	if a.tags.any(d.said.broadcast) {
		out.SetBroadcast()
	}
	for _, code := range []dhcpv4.OptionCode{dhcpv4.OptionRelayAgentInformation, dhcpv4.OptionClientIdentifier} {
		if echo := a.GetOneOption(code); echo != nil {
			out.UpdateOption(dhcpv4.OptGeneric(code, echo))
		}
	}
	return out
}

// reply is an answer with an address, unless that is not valid, and with what belongs to it.
func (d *dhcp4) reply(a *ask, kind dhcpv4.MessageType, addr netip.Addr) *dhcpv4.DHCPv4 {
	out := d.blank(a, kind)
	out.ServerIPAddr = a.subnet.Prefix.Addr().AsSlice()
	if kind == dhcpv4.MessageTypeAck {
		out.ClientIPAddr = a.ClientIPAddr
	}
	if addr.IsValid() {
		out.YourIPAddr = addr.AsSlice()
		if kind != dhcpv4.MessageTypeNone {
			d.times(a, out, addr)
		}
	}
	if addr.IsValid() {
		a.tags = append(a.tags[:len(a.tags):len(a.tags)], d.said.rangeTags(addr)...)
	}
	d.network(a, out)
	d.boot(a, out)
	return out
}

// times are those of a lease.
func (d *dhcp4) times(a *ask, out *dhcpv4.DHCPv4, addr netip.Addr) {
	term := d.term(a, addr)
	if term == host.Infinite {
		const forever = 1<<32 - 1
		out.UpdateOption(dhcpv4.OptIPAddressLeaseTime(forever * time.Second))
		return
	}
	whole := time.Duration(term)
	out.UpdateOption(dhcpv4.OptIPAddressLeaseTime(whole))
	out.UpdateOption(dhcpv4.OptRenewTimeValue(whole / 2))
	out.UpdateOption(dhcpv4.OptRebindingTimeValue(whole * 7 / 8))
}

// network is what a guest has to know of its network, as far as it asks for it.
func (d *dhcp4) network(a *ask, out *dhcpv4.DHCPv4) {
	s, gateway := d.server, a.subnet.Prefix.Addr().AsSlice()
	mask := net.CIDRMask(a.subnet.Prefix.Bits(), 32)
	said := d.said.chosen(a.tags, false)
	put := func(o dhcpv4.Option, always bool) {
		if _, ok := said[uint16(o.Code.Code())]; !ok && (always || a.wants(o.Code)) {
			out.UpdateOption(o)
		}
	}
	put(dhcpv4.OptSubnetMask(mask), true)
	put(dhcpv4.OptBroadcastAddress(broadcast(gateway, mask)), true)
	if !s.NoRouter {
		put(dhcpv4.OptRouter(gateway), false)
	}
	if s.DNS != nil {
		put(dhcpv4.OptDNS(gateway), false)
	}
	if s.Domain != "" {
		put(dhcpv4.OptDomainName(s.Domain), false)
	}
	if name := nameFor(a); name != "" {
		// A client that says how it is called is told what it is called here when it has its address.
		if out.MessageType() != dhcpv4.MessageTypeOffer || !a.Options.Has(dhcpv4.OptionHostName) {
			put(dhcpv4.OptHostName(name), false)
		}
		d.fullName(a, out, name)
	}
	if s.MTU != 0 {
		put(dhcpv4.OptGeneric(dhcpv4.OptionInterfaceMTU, []byte{byte(s.MTU >> 8), byte(s.MTU)}), false)
	}
	for code, line := range said {
		o := dhcpv4.GenericOptionCode(code)
		value := line.value.bytes(a.subnet.Prefix.Addr())
		if reserved4(code) || len(value) == 0 && silenced4(code) || !line.forced && !a.wants(o) {
			continue
		}
		out.UpdateOption(dhcpv4.OptGeneric(o, value))
	}
}

// wants reports whether a client asks for an option. One that does not say what it asks for gets all.
func (a *ask) wants(code dhcpv4.OptionCode) bool {
	return !a.Options.Has(dhcpv4.OptionParameterRequestList) || a.IsOptionRequested(code)
}

// reserved4 reports whether an option is not for options to give.
func reserved4(code uint16) bool {
	const messageType, server, leaseTime, overload, fqdn, end = 53, 54, 51, 52, 81, 255
	return slices.Contains([]uint16{messageType, server, leaseTime, overload, fqdn, end}, code)
}

// silenced4 reports whether an option is not given if its value is empty.
func silenced4(code uint16) bool {
	const mask, router, servers, name, domain, broadcast = 1, 3, 6, 12, 15, 28
	return slices.Contains([]uint16{mask, router, servers, name, domain, broadcast}, code)
}

// fullName tells a client that asks for it by what name it is known, and that others are told here: RFC 4702.
func (d *dhcp4) fullName(a *ask, out *dhcpv4.DHCPv4, name string) {
	asked := a.GetOneOption(dhcpv4.OptionFQDN)
	if len(asked) < 3 {
		return
	}
	const byServer, overridden, encoded, nothing, done = 1, 1 << 1, 1 << 2, 1 << 3, 255
	flags := asked[0] & 0x0f &^ nothing
	if flags&byServer == 0 {
		flags |= byServer | overridden
	}
	if d.server.Domain != "" {
		name += "." + strings.TrimSuffix(d.server.Domain, ".")
	}
	value := []byte{flags, done, done}
	if wire, ok := wireName(name); ok && flags&encoded != 0 {
		if d.server.Domain == "" {
			wire = wire[:len(wire)-1] // the root belongs to names that are whole
		}
		value = append(value, wire...)
	} else {
		value = append(value, name...)
	}
	out.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionFQDN, value))
}

// nameFor is the name of a client: that of the documents, or else the one it gives itself.
func nameFor(a *ask) string {
	if a.known != nil && a.known.name != "" {
		return a.known.name
	}
	if a.static == nil || a.static.Name == "" {
		return a.name
	}
	name, _, _ := strings.Cut(a.static.Name, ".")
	return name
}

func broadcast(addr net.IP, mask net.IPMask) net.IP {
	all := make(net.IP, len(addr))
	for i := range addr {
		all[i] = addr[i] | ^mask[i]
	}
	return all
}

// boot is the program to be loaded by a guest that boots from the network.
func (d *dhcp4) boot(a *ask, out *dhcpv4.DHCPv4) {
	boot := d.bootLine(a)
	if boot == nil {
		return
	}
	if boot.server.IsValid() && boot.server.Is4() {
		out.ServerIPAddr = boot.server.AsSlice()
	}
	// Programs look for both in the fields of the packet, and in options only for what is too long for those.
	const longestFile, longestName = 127, 63
	if len(boot.file) <= longestFile {
		out.BootFileName = boot.file
	} else if !a.forBOOTP() {
		out.UpdateOption(dhcpv4.OptBootFileName(boot.file))
	}
	if len(boot.name) <= longestName {
		out.ServerHostName = boot.name
	} else if !a.forBOOTP() {
		out.UpdateOption(dhcpv4.OptTFTPServerName(boot.name))
	}
}

func (a *ask) forBOOTP() bool { return a.MessageType() == dhcpv4.MessageTypeNone }

// bootLine is what a guest is to load: what options say of it, or else the documents, nil for nothing.
func (d *dhcp4) bootLine(a *ask) *bootLine {
	if b := d.said.bootFor(a.tags); b != nil {
		return b
	}
	if a.subnet.BootFile == "" {
		return d.bootOptions(a)
	}
	return &bootLine{file: a.subnet.BootFile, server: a.subnet.BootServer}
}

// bootOptions is what the options that tell of a program have for fields of the packet, if their client does not ask for them as
// options.
func (d *dhcp4) bootOptions(a *ask) *bootLine {
	const name, file, server = 66, 67, 255
	said := d.said.chosen(a.tags, false)
	var b bootLine
	if o := said[file]; o != nil && !o.forced && !(a.Options.Has(dhcpv4.OptionParameterRequestList) && a.wants(dhcpv4.OptionBootfileName)) {
		b.file = string(o.value.data)
	}
	if o := said[name]; o != nil && !o.forced && !(a.Options.Has(dhcpv4.OptionParameterRequestList) && a.wants(dhcpv4.OptionTFTPServerName)) {
		b.name = string(o.value.data)
	}
	if o := said[server]; o != nil && len(o.value.addrs) > 0 {
		b.server = o.value.addrs[0]
	}
	return &b
}

// hostName is what a client calls itself: the first label of its name, if that can be one.
func hostName(in *dhcpv4.DHCPv4) string {
	name := string(in.GetOneOption(dhcpv4.OptionHostName))
	if fqdn := in.GetOneOption(dhcpv4.OptionFQDN); len(fqdn) > 3 {
		name = fqdnText(fqdn[0], fqdn[3:])
	}
	name, _, _ = strings.Cut(strings.TrimRight(name, "\x00"), ".")
	if !isLabel(name) {
		return ""
	}
	return name
}

// fqdnText reads the name of the option of RFC 4702: labels with their lengths, or the old form as text.
func fqdnText(flags byte, data []byte) string {
	const encoded = 1 << 2
	if flags&encoded == 0 {
		return string(data)
	}
	if n := int(data[0]); n < len(data) {
		return string(data[1 : 1+n])
	}
	return ""
}

// isLabel reports whether text can be one label of a host's name.
func isLabel(text string) bool {
	if text == "" || len(text) > 63 || text[0] == '-' || text[len(text)-1] == '-' {
		return false
	}
	for i := range len(text) {
		c := text[i] | 0x20
		if (c < 'a' || c > 'z') && (text[i] < '0' || text[i] > '9') && text[i] != '-' && text[i] != '_' {
			return false
		}
	}
	return true
}
