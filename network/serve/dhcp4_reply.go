// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"net"
	"net/netip"
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

// network is what a guest has to know of its network.
func (d *dhcp4) network(a *ask, out *dhcpv4.DHCPv4) {
	s, gateway := d.server, a.subnet.Prefix.Addr().AsSlice()
	mask := net.CIDRMask(a.subnet.Prefix.Bits(), 32)
	out.UpdateOption(dhcpv4.OptSubnetMask(mask))
	out.UpdateOption(dhcpv4.OptBroadcastAddress(broadcast(gateway, mask)))
	if !s.NoRouter {
		out.UpdateOption(dhcpv4.OptRouter(gateway))
	}
	if s.DNS != nil {
		out.UpdateOption(dhcpv4.OptDNS(gateway))
	}
	if s.Domain != "" {
		out.UpdateOption(dhcpv4.OptDomainName(s.Domain))
	}
	if name := nameFor(a); name != "" {
		out.UpdateOption(dhcpv4.OptHostName(name))
	}
	if s.MTU != 0 {
		out.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionInterfaceMTU, []byte{byte(s.MTU >> 8), byte(s.MTU)}))
	}
}

// nameFor is the name of a client: that of the documents, or else the one it gives itself.
func nameFor(a *ask) string {
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
	if a.subnet.BootFile == "" {
		return
	}
	from := a.subnet.Prefix.Addr()
	if a.subnet.BootServer.IsValid() {
		from = a.subnet.BootServer
	}
	out.ServerIPAddr = from.AsSlice()
	out.BootFileName = a.subnet.BootFile
	if a.IsOptionRequested(dhcpv4.OptionBootfileName) {
		out.UpdateOption(dhcpv4.OptBootFileName(a.subnet.BootFile))
	}
	if a.IsOptionRequested(dhcpv4.OptionTFTPServerName) {
		out.UpdateOption(dhcpv4.OptTFTPServerName(from.String()))
	}
}

// hostName is what a client calls itself: the first label of its name, if that can be one.
func hostName(in *dhcpv4.DHCPv4) string {
	name := in.HostName()
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
