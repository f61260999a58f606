// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"encoding/hex"
	"iter"
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
	said   dhcpDirectives
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
	// known is what options say of the client, nil for nothing, and tags what it is called in them.
	known *optionHost
	tags  tags
}

// answer returns the answer to a packet, nil for none, and what has to be written down before it leaves.
func (d *dhcp4) answer(in *dhcpv4.DHCPv4, now time.Time) (*dhcpv4.DHCPv4, []host.LeaseChange) {
	out, _, changes := d.answerFrom(in, now)
	return out, changes
}

// answerFrom is answer with the address of the host from which it comes: that in the subnet of the client.
func (d *dhcp4) answerFrom(in *dhcpv4.DHCPv4, now time.Time) (*dhcpv4.DHCPv4, netip.Addr, []host.LeaseChange) {
	a := &ask{DHCPv4: in, now: now}
	out, changes := d.decide(a)
	if out == nil {
		return nil, netip.Addr{}, changes
	}
	return out, a.subnet.Prefix.Addr(), changes
}

func (d *dhcp4) decide(a *ask) (*dhcpv4.DHCPv4, []host.LeaseChange) {
	in, now := a.DHCPv4, a.now
	if in.OpCode != dhcpv4.OpcodeBootRequest || len(in.ClientHWAddr) == 0 {
		return nil, nil
	}
	a.id, a.name = hexBytes(in.GetOneOption(dhcpv4.OptionClientIdentifier)), hostName(in)
	copy(a.mac[:], in.ClientHWAddr)
	if d.place(a); a.subnet == nil {
		return nil, nil
	}
	if d.said.inUse() && d.ignores(a) {
		return nil, nil
	}
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

// place finds the subnet of a packet: that of the relay, or of an address that the client has. In the others of the link a client is
// at home where the documents have a host for it, where it has an address or wants one, and else in the first from which it can
// have one.
func (d *dhcp4) place(a *ask) {
	via, own := addrOf(a.GatewayIPAddr), addrOf(a.ClientIPAddr)
	want := addrOf(a.RequestedIPAddress())
	held := d.held(a)
	best := 0
	for i := range d.server.Subnets {
		s := &d.server.Subnets[i]
		if !s.Prefix.Addr().Is4() || !s.HasDHCP() {
			continue
		}
		static, rank := staticHost(d.server, s.Prefix, a.id, a.mac, a.name), 1
		in := func(addr netip.Addr) bool { return addr.IsValid() && s.Prefix.Contains(addr) }
		switch {
		case via.IsValid() && !in(via):
			continue
		case via.IsValid():
			rank = 7
		case in(own):
			rank = 6
		case static != nil:
			rank = 5
		case in(held):
			rank = 4
		case in(want) && rangeOf(s, want) != nil:
			rank = 3
		case len(s.Ranges) > 0:
			rank = 2
		}
		if rank > best {
			best, a.subnet, a.static = rank, s, static
		}
	}
}

// held is the address that a client has, not valid if it has none.
func (d *dhcp4) held(a *ask) netip.Addr {
	for _, client := range []string{d.client(nil, a.mac, a.id, a.now), "mac " + a.mac.String()} {
		if h := d.book.held(client, a.now); h != nil {
			return h.lease.Addr
		}
	}
	return netip.Addr{}
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
func hexBytes(b []byte) string { return colons(hex.EncodeToString(b)) }

func colons(text string) string {
	var s strings.Builder
	for i := 0; i < len(text); i += 2 {
		if i > 0 {
			s.WriteByte(':')
		}
		s.WriteString(text[i : i+2])
	}
	return s.String()
}

// staticHost finds what the documents say of a client for whom they have an address in a network: by the identifier that it gives, its hardware address, or its name. Of
// two hosts that are known by the same the last counts.
func staticHost(s *host.Server, in netip.Prefix, id string, mac host.MAC, name string) *host.StaticHost {
	var byCard, byName *host.StaticHost
	for h := range lastFirst(s) {
		switch {
		case !in.Contains(h.Addr):
		case h.DUID != "" && sameID(h.DUID, id):
			return h
		case byCard == nil && !h.MAC.IsZero() && h.MAC == mac:
			byCard = h
		case byName == nil && h.MAC.IsZero() && h.DUID == "" && name != "" && strings.EqualFold(h.Name, name):
			byName = h
		}
	}
	if byCard != nil {
		return byCard
	}
	return byName
}

// lastFirst yields the static hosts of all subnets, beginning with the last.
func lastFirst(s *host.Server) iter.Seq[*host.StaticHost] {
	return func(yield func(*host.StaticHost) bool) {
		for i := len(s.Subnets) - 1; i >= 0; i-- {
			for k := len(s.Subnets[i].Hosts) - 1; k >= 0; k-- {
				if !yield(&s.Subnets[i].Hosts[k]) {
					return
				}
			}
		}
	}
}

// sameID reports whether two identifiers are the same bytes: hexadecimal, with colons between them, with one digit or two.
func sameID(a, b string) bool {
	for a != "" && b != "" {
		var x, y string
		x, a, _ = strings.Cut(a, ":")
		y, b, _ = strings.Cut(b, ":")
		if len(x) == 2 && x[0] == '0' {
			x = x[1:]
		}
		if len(y) == 2 && y[0] == '0' {
			y = y[1:]
		}
		if !strings.EqualFold(x, y) {
			return false
		}
	}
	return a == b
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
	if d.said.rapid && a.Options.Has(dhcpv4.OptionRapidCommit) {
		out, changes := d.give(a, addr, dhcpv4.MessageTypeAck)
		out.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionRapidCommit, nil))
		return out, changes
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
	next := &holding{
		client: a.client, owner: a.mac.String(), state: leased,
		lease: host.Lease{Addr: addr, MAC: a.mac, ClientID: a.id, Hostname: nameFor(a)},
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
	out.SetBroadcast() // it has no address that it could be told at
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
	if a.known != nil && a.known.lease != 0 {
		return a.known.lease
	}
	return term(a.subnet, a.static, addr, usual)
}
