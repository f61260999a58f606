// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"encoding/hex"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/go-virtnet/virtnet/network/host"
)

// A dhcp4 answers DHCPv4 and BOOTP. What it answers depends on what it was given and on the packets before, and on nothing
// else; it is not for use by several goroutines at a time.
type dhcp4 struct {
	server *host.Server
	book   *book
}

// An ask is a packet with what is known of its client.
type ask struct {
	*dhcpv4.DHCPv4
	now    time.Time
	subnet *host.Subnet
	// id is the identifier that the client gives itself, and mac its hardware address.
	id     string
	mac    host.MAC
	client string
	name   string
	static *host.StaticHost
}

// answer returns the answer to a packet, nil for none, and what has to be written down before it leaves.
func (d *dhcp4) answer(in *dhcpv4.DHCPv4, now time.Time) (*dhcpv4.DHCPv4, []host.LeaseChange) {
	a := &ask{DHCPv4: in, now: now, subnet: d.subnet(in)}
	if in.OpCode != dhcpv4.OpcodeBootRequest || a.subnet == nil || len(in.ClientHWAddr) == 0 {
		return nil, nil
	}
	a.id, a.name = hexBytes(in.GetOneOption(dhcpv4.OptionClientIdentifier)), hostName(in)
	copy(a.mac[:], in.ClientHWAddr)
	a.static = d.staticHost(a)
	a.client = d.client(a.static, a.mac, a.id, now)
	switch in.MessageType() {
	case dhcpv4.MessageTypeDiscover:
		return d.discover(a)
	case dhcpv4.MessageTypeRequest:
		return d.request(a)
	case dhcpv4.MessageTypeDecline:
		return nil, d.decline(a)
	case dhcpv4.MessageTypeRelease:
		return nil, d.release(a)
	case dhcpv4.MessageTypeInform:
		return d.inform(a), nil
	case dhcpv4.MessageTypeNone:
		return d.bootp(a)
	}
	return nil, nil
}

// subnet is the subnet of a packet: that of the relay, of an address that the client has, or else the first that hands
// out addresses.
func (d *dhcp4) subnet(in *dhcpv4.DHCPv4) *host.Subnet {
	var first *host.Subnet
	via, own := addrOf(in.GatewayIPAddr), addrOf(in.ClientIPAddr)
	for i := range d.server.Subnets {
		s := &d.server.Subnets[i]
		if !s.Prefix.Addr().Is4() || !s.HasDHCP() {
			continue
		}
		if via.IsValid() && s.Prefix.Contains(via) || !via.IsValid() && own.IsValid() && s.Prefix.Contains(own) {
			return s
		}
		if first == nil && !via.IsValid() {
			first = s
		}
	}
	return first
}

// addrOf is an address of a packet, not valid if it has none.
func addrOf(ip net.IP) netip.Addr {
	addr, ok := netip.AddrFromSlice(ip)
	if addr = addr.Unmap(); !ok || addr.IsUnspecified() {
		return netip.Addr{}
	}
	return addr
}

// client is what a client is known by: the identifier it gives, or else its hardware address. Programs that boot a guest one
// after the other give different identifiers, or none: what the documents say of a hardware address is for all of them, and one
// without an identifier has what another with the same hardware address has.
func (d *dhcp4) client(static *host.StaticHost, mac host.MAC, id string, now time.Time) string {
	byCard := "mac " + mac.String()
	card := d.book.cards[mac]
	switch {
	case static != nil && static.MAC == mac, id == "" && (card == nil || card.ended(now)):
		return byCard
	case id == "":
		return card.client
	case d.book.held("id "+id, now) == nil && d.book.held(byCard, now) != nil:
		return byCard
	}
	return "id " + id
}

// hexBytes are bytes with colons between them.
func hexBytes(b []byte) string {
	text := hex.EncodeToString(b)
	var s strings.Builder
	for i := 0; i < len(text); i += 2 {
		if i > 0 {
			s.WriteByte(':')
		}
		s.WriteString(text[i : i+2])
	}
	return s.String()
}

// staticHost finds what the documents say of a client: by what it is known by best.
func (d *dhcp4) staticHost(a *ask) *host.StaticHost {
	var byName *host.StaticHost
	for i := range a.subnet.Hosts {
		h := &a.subnet.Hosts[i]
		switch {
		case !h.MAC.IsZero() && h.MAC == a.mac:
			return h
		case h.DUID != "" && strings.EqualFold(h.DUID, a.id):
			return h
		case h.MAC.IsZero() && h.DUID == "" && a.name != "" && strings.EqualFold(h.Name, a.name):
			byName = h
		}
	}
	return byName
}

// staticOf is what the documents say of an address.
func (d *dhcp4) staticOf(addr netip.Addr) *host.StaticHost {
	for i := range d.server.Subnets {
		for k := range d.server.Subnets[i].Hosts {
			if h := &d.server.Subnets[i].Hosts[k]; h.Addr == addr {
				return h
			}
		}
	}
	return nil
}

// discover offers an address.
func (d *dhcp4) discover(a *ask) (*dhcpv4.DHCPv4, []host.LeaseChange) {
	addr, ok := d.book.propose(a.wish(), a.now)
	if !ok {
		return nil, nil
	}
	if h := d.book.held(a.client, a.now); h == nil || h.state != leased || h.lease.Addr != addr {
		if h != nil && h.state == leased {
			return d.reply(a, dhcpv4.MessageTypeOffer, addr), nil // what he has stays his until he asks for the other
		}
		d.book.offer(&holding{lease: host.Lease{Addr: addr, MAC: a.mac}, client: a.client, owner: a.mac.String()}, a.now)
	}
	return d.reply(a, dhcpv4.MessageTypeOffer, addr), nil
}

// request gives an address to a client, or says that it cannot have it.
func (d *dhcp4) request(a *ask) (*dhcpv4.DHCPv4, []host.LeaseChange) {
	chosen, want := addrOf(a.ServerIdentifier()), addrOf(a.RequestedIPAddress())
	if chosen.IsValid() && chosen != a.subnet.Prefix.Addr() {
		if h := d.book.held(a.client, a.now); h != nil && h.state == offered {
			d.book.drop(h) // it took the offer of another
		}
		return nil, nil
	}
	if !want.IsValid() {
		want = addrOf(a.ClientIPAddr)
	}
	if !want.IsValid() {
		return nil, nil
	}
	if !d.book.open(want, a.client, a.now) || !d.book.allots(a.wish(), want, a.now) {
		return d.refuse(a, "address not available"), nil
	}
	return d.give(a, want, dhcpv4.MessageTypeAck)
}

// give writes an address down as a client's.
func (d *dhcp4) give(a *ask, addr netip.Addr, kind dhcpv4.MessageType) (*dhcpv4.DHCPv4, []host.LeaseChange) {
	next := &holding{client: a.client, owner: a.mac.String(), state: leased, lease: host.Lease{Addr: addr, MAC: a.mac, ClientID: a.id, Hostname: a.name}}
	if a.static != nil && a.static.Name != "" {
		next.lease.Hostname = a.static.Name
	}
	if term := d.term(a, addr); kind == dhcpv4.MessageTypeAck && term != host.Infinite {
		next.until = end(a.now, term)
		next.lease.Expires = next.until
	}
	old := d.book.held(a.client, a.now)
	if !d.book.hold(next, a.now) {
		return d.refuse(a, "no more addresses"), nil
	}
	return d.reply(a, kind, addr), next.changes(old)
}

// refuse says that a client cannot have what it asks for.
func (d *dhcp4) refuse(a *ask, why string) *dhcpv4.DHCPv4 {
	if a.MessageType() == dhcpv4.MessageTypeNone {
		return nil
	}
	out := d.blank(a, dhcpv4.MessageTypeNak)
	out.UpdateOption(dhcpv4.OptMessage(why))
	return out
}

// decline lets an address rest of which a client says that somebody else has it.
func (d *dhcp4) decline(a *ask) []host.LeaseChange {
	addr := addrOf(a.RequestedIPAddress())
	h := d.book.held(a.client, a.now)
	if h == nil || h.lease.Addr != addr || addrOf(a.ServerIdentifier()) != a.subnet.Prefix.Addr() {
		return nil
	}
	d.book.drop(h)
	d.book.hold(&holding{lease: host.Lease{Addr: addr}, client: a.client, owner: h.owner, state: declined, until: a.now.Add(declineTime)}, a.now)
	if h.state != leased {
		return nil
	}
	return []host.LeaseChange{{Lease: h.lease, Gone: true}}
}

// release takes back what a client has.
func (d *dhcp4) release(a *ask) []host.LeaseChange {
	h := d.book.held(a.client, a.now)
	if h == nil || h.state != leased || h.lease.Addr != addrOf(a.ClientIPAddr) || addrOf(a.ServerIdentifier()) != a.subnet.Prefix.Addr() {
		return nil
	}
	d.book.drop(h)
	return []host.LeaseChange{{Lease: h.lease, Gone: true}}
}

// inform tells a client that has an address the rest.
func (d *dhcp4) inform(a *ask) *dhcpv4.DHCPv4 {
	if !a.subnet.Prefix.Contains(addrOf(a.ClientIPAddr)) {
		return nil
	}
	return d.reply(a, dhcpv4.MessageTypeAck, netip.Addr{})
}

// bootp gives a client of BOOTP, who never comes back for it, the address of the documents for ever.
func (d *dhcp4) bootp(a *ask) (*dhcpv4.DHCPv4, []host.LeaseChange) {
	if a.static == nil || !d.book.free(a.static.Addr, a.client, a.now) {
		return nil, nil
	}
	return d.give(a, a.static.Addr, dhcpv4.MessageTypeNone)
}

// wish is what a client would have.
func (a *ask) wish() wish {
	return wish{client: a.client, subnet: a.subnet, static: a.static, want: addrOf(a.RequestedIPAddress())}
}

// term is for how long a client gets an address.
func (d *dhcp4) term(a *ask, addr netip.Addr) host.LeaseTime {
	const usual = host.LeaseTime(time.Hour)
	return term(a.subnet, a.static, addr, usual)
}
