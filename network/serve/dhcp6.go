// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"encoding/binary"
	"hash/fnv"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"

	"github.com/go-virtnet/virtnet/network/host"
)

// A dhcp6 answers DHCPv6, as dhcp4 does DHCPv4.
type dhcp6 struct {
	server *host.Server
	said   dhcpDirectives
	book   *book
	id     dhcpv6.DUID
}

// serverID is the identifier of a server: always the same for the same network, so that guests recognise it wherever it
// is started next.
func serverID(name string) dhcpv6.DUID {
	sum := fnv.New128a()
	sum.Write([]byte(name))
	return &dhcpv6.DUIDUUID{UUID: [16]byte(sum.Sum(nil))}
}

// An ask6 is a message with what is known of its client.
type ask6 struct {
	*dhcpv6.Message
	now    time.Time
	subnet *host.Subnet
	duid   string
	mac    string
	name   string
	// known is what options say of the client, nil for nothing, and tags what it is called in them.
	known *optionHost
	tags  tags
}

// answer returns the answer to a packet, nil for none, and what has to be written down before it leaves.
func (d *dhcp6) answer(packet dhcpv6.DHCPv6, now time.Time) (dhcpv6.DHCPv6, []host.LeaseChange) {
	in, err := packet.GetInnerMessage()
	if err != nil {
		return nil, nil
	}
	a := &ask6{Message: in, now: now, subnet: d.subnet(packet)}
	if a.subnet == nil || !d.concerns(in) {
		return nil, nil
	}
	if id := in.Options.ClientID(); id != nil {
		a.duid = hexBytes(id.ToBytes())
	}
	if mac, err := dhcpv6.ExtractMAC(packet); err == nil {
		a.mac = mac.String()
	}
	a.name = name6(in)
	if d.said.inUse() && d.ignores(a) {
		return nil, nil
	}
	out, changes := d.reply(a)
	if out == nil {
		return nil, nil
	}
	if relay, ok := packet.(*dhcpv6.RelayMessage); ok {
		back, err := dhcpv6.NewRelayReplFromRelayForw(relay, out)
		if err != nil {
			return nil, nil
		}
		return back, changes
	}
	return out, changes
}

// concerns reports whether a message has the identifiers that its kind must have: RFC 8415, section 16.
func (d *dhcp6) concerns(in *dhcpv6.Message) bool {
	client, server := in.Options.ClientID(), in.Options.ServerID()
	ours := server != nil && server.Equal(d.id)
	switch in.MessageType {
	case dhcpv6.MessageTypeSolicit, dhcpv6.MessageTypeConfirm, dhcpv6.MessageTypeRebind:
		return client != nil && server == nil
	case dhcpv6.MessageTypeRequest, dhcpv6.MessageTypeRenew, dhcpv6.MessageTypeRelease, dhcpv6.MessageTypeDecline:
		return client != nil && ours
	case dhcpv6.MessageTypeInformationRequest:
		return (server == nil || ours) && len(in.Options.IANA())+len(in.Options.IATA())+len(in.Options.IAPD()) == 0
	}
	return false
}

// subnet is the subnet of a packet: that of the nearest relay that says one, or else the first of the link.
func (d *dhcp6) subnet(packet dhcpv6.DHCPv6) *host.Subnet {
	var via netip.Addr
	for relay, ok := packet.(*dhcpv6.RelayMessage); ok; relay, ok = relay.Options.RelayMessage().(*dhcpv6.RelayMessage) {
		if link := addrOf(relay.LinkAddr); link.IsValid() {
			via = link
		}
	}
	var first *host.Subnet
	for i := range d.server.Subnets {
		s := &d.server.Subnets[i]
		if !s.Prefix.Addr().Is6() {
			continue
		}
		if via.IsValid() && s.Prefix.Contains(via) {
			return s
		}
		if first == nil || !first.HasDHCP() && s.HasDHCP() {
			first = s
		}
	}
	if via.IsValid() {
		return nil
	}
	return first
}

// name6 is what a client calls itself.
func name6(in *dhcpv6.Message) string {
	fqdn := in.Options.FQDN()
	if fqdn == nil || fqdn.DomainName == nil || len(fqdn.DomainName.Labels) == 0 {
		return ""
	}
	name, _, _ := strings.Cut(fqdn.DomainName.Labels[0], ".")
	if !isLabel(name) {
		return ""
	}
	return name
}

// reply is the answer to a message, by its kind.
func (d *dhcp6) reply(a *ask6) (*dhcpv6.Message, []host.LeaseChange) {
	out := &dhcpv6.Message{MessageType: dhcpv6.MessageTypeReply, TransactionID: a.TransactionID}
	if id := a.Options.ClientID(); id != nil {
		out.AddOption(dhcpv6.OptClientID(id))
	}
	out.AddOption(dhcpv6.OptServerID(d.id))
	switch a.MessageType {
	case dhcpv6.MessageTypeSolicit:
		return d.solicit(a, out)
	case dhcpv6.MessageTypeRequest, dhcpv6.MessageTypeRenew, dhcpv6.MessageTypeRebind:
		changes := d.give(a, out)
		d.finish(a, out)
		return out, changes
	case dhcpv6.MessageTypeConfirm:
		return d.confirm(a, out), nil
	case dhcpv6.MessageTypeRelease, dhcpv6.MessageTypeDecline:
		return out, d.giveBack(a, out)
	case dhcpv6.MessageTypeInformationRequest:
		d.network(a, out)
		out.AddOption(dhcpv6.OptInformationRefreshTime(time.Duration(usual6)))
		return out, nil
	}
	return nil, nil
}

// solicit offers addresses, or gives them at once to a client that wants them so.
func (d *dhcp6) solicit(a *ask6, out *dhcpv6.Message) (*dhcpv6.Message, []host.LeaseChange) {
	if a.GetOneOption(dhcpv6.OptionRapidCommit) != nil {
		out.AddOption(&dhcpv6.OptionGeneric{OptionCode: dhcpv6.OptionRapidCommit})
		changes := d.give(a, out)
		d.finish(a, out)
		return out, changes
	}
	out.MessageType = dhcpv6.MessageTypeAdvertise
	for _, ia := range a.Options.IANA() {
		w := d.wish(a, ia)
		addr, ok := d.book.propose(w, a.now)
		if !ok {
			out.AddOption(without(ia, iana.StatusNoAddrsAvail))
			continue
		}
		if d.book.held(w.client, a.now) == nil {
			d.book.offer(&holding{lease: host.Lease{Addr: addr}, client: w.client, owner: a.duid}, a.now)
		}
		out.AddOption(d.with(ia, w, addr))
	}
	d.nothingElse(a, out)
	d.finish(a, out)
	return out, nil
}

// finish adds to addresses what belongs to them. Without any there is nothing to be told: RFC 8415, section 18.3.9.
func (d *dhcp6) finish(a *ask6, out *dhcpv6.Message) {
	for _, ia := range out.Options.IANA() {
		if ia.Options.OneAddress() == nil {
			continue
		}
		if a.MessageType == dhcpv6.MessageTypeSolicit {
			const first = 255 // nobody else answers for the network: who asks need not wait
			out.AddOption(&dhcpv6.OptionGeneric{OptionCode: dhcpv6.OptionPreference, OptionData: []byte{first}})
		}
		if a.MessageType == dhcpv6.MessageTypeSolicit || a.MessageType == dhcpv6.MessageTypeRequest {
			out.AddOption(&dhcpv6.OptStatusCode{StatusCode: iana.StatusSuccess})
		}
		d.network(a, out)
		return
	}
}

// give writes addresses down as a client's. What a client has and cannot have any longer is told with a time of 0.
func (d *dhcp6) give(a *ask6, out *dhcpv6.Message) (changes []host.LeaseChange) {
	for _, ia := range a.Options.IANA() {
		w := d.wish(a, ia)
		old := d.book.held(w.client, a.now)
		if old == nil && a.MessageType == dhcpv6.MessageTypeRenew && !d.book.grants(w, w.want, a.now) {
			out.AddOption(without(ia, iana.StatusNoBinding))
			continue
		}
		addr, ok := d.book.propose(w, a.now)
		if !ok {
			out.AddOption(without(ia, iana.StatusNoAddrsAvail))
			continue
		}
		next := &holding{client: w.client, owner: a.duid, state: leased, lease: d.lease(a, ia, addr)}
		if t := d.term(w, addr); t != host.Infinite {
			next.until = end(a.now, t)
			next.lease.Expires = next.until
		}
		if !d.book.hold(next, a.now) {
			out.AddOption(without(ia, iana.StatusNoAddrsAvail))
			continue
		}
		changes = append(changes, next.changes(old)...)
		given := d.with(ia, w, addr)
		if old != nil && old.state == leased && old.lease.Addr != addr {
			given.Options.Add(&dhcpv6.OptIAAddress{IPv6Addr: old.lease.Addr.AsSlice()})
		}
		out.AddOption(given)
	}
	d.nothingElse(a, out)
	return changes
}

// confirm says whether what a client has is right for the link.
func (d *dhcp6) confirm(a *ask6, out *dhcpv6.Message) *dhcpv6.Message {
	status := iana.StatusSuccess
	any := false
	for _, ia := range a.Options.IANA() {
		for _, addr := range ia.Options.Addresses() {
			any = true
			if !a.subnet.Prefix.Contains(addrOf(addr.IPv6Addr)) {
				status = iana.StatusNotOnLink
			}
		}
	}
	if !any {
		return nil
	}
	out.AddOption(&dhcpv6.OptStatusCode{StatusCode: status})
	return out
}

// giveBack takes addresses back from a client, or lets those rest of which it says that another has them.
func (d *dhcp6) giveBack(a *ask6, out *dhcpv6.Message) (changes []host.LeaseChange) {
	for _, ia := range a.Options.IANA() {
		w := d.wish(a, ia)
		h := d.book.held(w.client, a.now)
		if h == nil || h.lease.Addr != w.want {
			out.AddOption(without(ia, iana.StatusNoBinding))
			continue
		}
		d.book.drop(h)
		if h.state == leased {
			changes = append(changes, host.LeaseChange{Lease: h.lease, Gone: true})
		}
		if a.MessageType == dhcpv6.MessageTypeDecline {
			d.book.hold(&holding{lease: host.Lease{Addr: w.want}, client: w.client, owner: h.owner, state: declined, until: a.now.Add(declineTime)}, a.now)
		}
	}
	out.AddOption(&dhcpv6.OptStatusCode{StatusCode: iana.StatusSuccess})
	return changes
}

// wish is what a client would have for one of its identity associations.
func (d *dhcp6) wish(a *ask6, ia *dhcpv6.OptIANA) wish {
	w := wish{client: client6(a.duid, binary.BigEndian.Uint32(ia.IaId[:])), subnet: a.subnet, static: d.staticHost(a)}
	if a.known != nil {
		w.lease = a.known.lease
	}
	if list := ia.Options.Addresses(); len(list) > 0 {
		w.want = addrOf(list[0].IPv6Addr)
	}
	return w
}

// client6 is what a client is known by, for one of its identity associations.
func client6(duid string, iaid uint32) string {
	return "duid " + duid + " " + string(binary.BigEndian.AppendUint32(nil, iaid))
}

// staticHost finds what the documents say of a client: by its identifier, its hardware address, or the name it gives.
func (d *dhcp6) staticHost(a *ask6) *host.StaticHost {
	return staticHost(d.server, a.subnet.Prefix, a.duid, a.hardware(), a.name)
}

// hardware is the hardware address of a client, zero if it is not known.
func (a *ask6) hardware() (mac host.MAC) {
	if hw, err := net.ParseMAC(a.mac); err == nil {
		copy(mac[:], hw)
	}
	return mac
}

// lease is what is written down of an address.
func (d *dhcp6) lease(a *ask6, ia *dhcpv6.OptIANA, addr netip.Addr) host.Lease {
	l := host.Lease{Addr: addr, ClientID: a.duid, IAID: binary.BigEndian.Uint32(ia.IaId[:]), Hostname: a.name}
	if static := d.staticHost(a); static != nil && static.Name != "" {
		l.Hostname = static.Name
	}
	return l
}

// usual6 is for how long an address is given if nothing is said of it, and after what time clients ask again who need none.
const usual6 = host.LeaseTime(24 * time.Hour)

func (d *dhcp6) term(w wish, addr netip.Addr) host.LeaseTime {
	if w.lease != 0 {
		return w.lease
	}
	return term(w.subnet, w.static, addr, usual6)
}

// with is an identity association with an address.
func (d *dhcp6) with(ia *dhcpv6.OptIANA, w wish, addr netip.Addr) *dhcpv6.OptIANA {
	const forever = (1<<32 - 1) * time.Second
	out := &dhcpv6.OptIANA{IaId: ia.IaId, T1: forever, T2: forever}
	life := time.Duration(forever)
	if t := d.term(w, addr); t != host.Infinite {
		life = time.Duration(t)
		out.T1, out.T2 = life/2, life*7/8
	}
	out.Options.Add(&dhcpv6.OptIAAddress{IPv6Addr: addr.AsSlice(), PreferredLifetime: life, ValidLifetime: life})
	return out
}

// without is an identity association that says why it has no address.
func without(ia *dhcpv6.OptIANA, why iana.StatusCode) *dhcpv6.OptIANA {
	out := &dhcpv6.OptIANA{IaId: ia.IaId}
	out.Options.Add(&dhcpv6.OptStatusCode{StatusCode: why, StatusMessage: why.String()})
	return out
}

// nothingElse says of addresses for a while, and of prefixes, that there are none.
func (d *dhcp6) nothingElse(a *ask6, out *dhcpv6.Message) {
	for _, ia := range a.Options.IATA() {
		none := &dhcpv6.OptIATA{IaId: ia.IaId}
		none.Options.Add(&dhcpv6.OptStatusCode{StatusCode: iana.StatusNoAddrsAvail})
		out.AddOption(none)
	}
	for _, ia := range a.Options.IAPD() {
		none := &dhcpv6.OptIAPD{IaId: ia.IaId}
		none.Options.Add(&dhcpv6.OptStatusCode{StatusCode: iana.StatusNoPrefixAvail})
		out.AddOption(none)
	}
}
