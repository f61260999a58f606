// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network/host"
)

// A town is a server and eight guests who say anything in any order, while time passes, the document changes, the disk fails and
// the process is killed. It keeps a book of its own of what guests believe.
type town struct {
	t      *testing.T
	now    time.Time
	doc    host.Server
	server *server
	// disk is what is written down, and full whether nothing more can be.
	disk map[netip.Addr]host.Lease
	full bool
	// believed are the addresses that a guest was given and may use, with when that ends; zero is never.
	believed map[netip.Addr]belief
}

type belief struct {
	who   byte
	until time.Time
}

// documents are those that the server of a town is given, one after the other. Guest 1 is alpha in all of them, and beta who calls
// itself so. Guest 2 is gamma in some, with an address that others may have had before.
func documents() (list []host.Server) {
	base := *lan()
	base.Subnets = append(base.Subnets, lan6().Subnets...)
	second := base
	second.Subnets = nil
	for _, s := range base.Subnets {
		s.Hosts = append([]host.StaticHost{}, s.Hosts...)
		gamma := host.StaticHost{Name: "gamma", Addr: s.Ranges[0].Start, MAC: host.MAC{0x52, 0x54, 0, 0, 0, 2}}
		if s.Prefix.Addr().Is6() {
			gamma.MAC, gamma.DUID = host.MAC{}, "00:03:00:01:52:54:00:00:00:02"
		}
		s.Hosts = append(s.Hosts, gamma)
		second.Subnets = append(second.Subnets, s)
	}
	third := second
	third.Subnets = nil
	for _, s := range second.Subnets {
		narrow := s.Ranges[0]
		narrow.Start = narrow.Start.Next().Next()
		narrow.Lease = host.LeaseTime(10 * time.Minute)
		s.Ranges = []host.Range{narrow}
		third.Subnets = append(third.Subnets, s)
	}
	return []host.Server{base, second, third}
}

func newTown(t *testing.T) *town {
	w := &town{t: t, now: start, doc: documents()[0], disk: map[netip.Addr]host.Lease{}, believed: map[netip.Addr]belief{}}
	w.begin()
	return w
}

// begin starts the server with what is written down, as after a sudden end.
func (w *town) begin() {
	ground := host.Ground{Keep: func(changes []host.LeaseChange) error {
		if w.full {
			return errors.New("no space left")
		}
		for _, c := range changes {
			if c.Gone {
				delete(w.disk, c.Lease.Addr)
			} else {
				w.disk[c.Lease.Addr] = c.Lease
			}
		}
		return nil
	}}
	var leases []host.Lease
	for _, l := range w.disk {
		leases = append(leases, l)
	}
	w.server = (&Engine{Limits: Limits{ClientLeases: 4}}).newServer(context.Background(), w.doc, directives{}, ground)
	w.server.load(leases, w.now)
}

// says4 lets a guest say something by DHCPv4.
func (w *town) says4(who, kind, what, id byte) {
	addr := netip.AddrFrom4([4]byte{10, 1, 1, 8 + what%10})
	in, err := dhcpv4.New(dhcpv4.WithHwAddr(net.HardwareAddr{0x52, 0x54, 0, 0, 0, who}), dhcpv4.WithMessageType(dhcpv4.MessageType(kind%9)))
	require.NoError(w.t, err)
	if id != 0 {
		dhcpv4.WithGeneric(dhcpv4.OptionClientIdentifier, []byte{0xff, who, id})(in)
	}
	if what&0x10 != 0 {
		wants(addr.String())(in)
	}
	if what&0x20 != 0 {
		of("10.1.1.1")(in)
	}
	if what&0x40 != 0 {
		has(addr.String())(in)
	}
	if what&0x80 != 0 {
		named("beta")(in)
	}
	out, changes := w.server.dhcp4.answer(in, w.now)
	if !w.keeps(changes, who, in.MessageType() == dhcpv4.MessageTypeRelease || in.MessageType() == dhcpv4.MessageTypeDecline) || out == nil {
		return
	}
	if got := addrOf(out.YourIPAddr); out.MessageType() == dhcpv4.MessageTypeAck && got.IsValid() {
		w.believes(who, got, out.IPAddressLeaseTime(0), what&0x80 != 0)
	}
}

// says6 is says4 for DHCPv6.
func (w *town) says6(who, kind, what, id byte) {
	in := &dhcpv6.Message{MessageType: dhcpv6.MessageType(kind % 14)}
	dhcpv6.WithClientID(&dhcpv6.DUIDLL{HWType: 1, LinkLayerAddr: net.HardwareAddr{0x52, 0x54, 0, 0, 0, who}})(in)
	dhcpv6.WithIAID([4]byte{0, 0, 0, id})(in)
	if what&0x10 != 0 {
		for _, na := range in.Options.IANA() {
			na.Options.Add(&dhcpv6.OptIAAddress{IPv6Addr: append(net.ParseIP("fd00:1::")[:15:15], 8+what%13)})
		}
	}
	if what&0x20 != 0 {
		dhcpv6.WithServerID(w.server.dhcp6.id)(in)
	}
	if what&0x40 != 0 {
		dhcpv6.WithRapidCommit(in)
	}
	if what&0x80 != 0 {
		dhcpv6.WithFQDN(0, "beta")(in)
	}
	reply, changes := w.server.dhcp6.answer(in, w.now)
	if !w.keeps(changes, who, in.MessageType == dhcpv6.MessageTypeRelease || in.MessageType == dhcpv6.MessageTypeDecline) || reply == nil {
		return
	}
	out := reply.(*dhcpv6.Message)
	if out.MessageType != dhcpv6.MessageTypeReply {
		return
	}
	for _, na := range out.Options.IANA() {
		for _, addr := range na.Options.Addresses() {
			if got := addrOf(addr.IPv6Addr); addr.ValidLifetime == 0 {
				delete(w.believed, got)
			} else {
				w.believes(who, got, addr.ValidLifetime, what&0x80 != 0)
			}
		}
	}
}

// keeps writes changes down, and reports whether the answer leaves. What a guest gives back it does not believe to have, whether that
// is written down or not.
func (w *town) keeps(changes []host.LeaseChange, who byte, back bool) bool {
	for _, c := range changes {
		if c.Gone && (back || !w.full) && w.believed[c.Lease.Addr].who == who {
			delete(w.believed, c.Lease.Addr)
		}
	}
	return w.server.keep(changes) == nil
}

// believes notes what a guest is given, which must be its own to have.
func (w *town) believes(who byte, addr netip.Addr, term time.Duration, beta bool) {
	w.t.Helper()
	until := w.now.Add(term)
	if term == (1<<32-1)*time.Second {
		until = time.Time{}
	}
	if b, ok := w.believed[addr]; ok && b.who != who && (b.until.IsZero() || b.until.After(w.now)) {
		w.t.Fatalf("%s is given to guest %d, and guest %d has it", addr, who, b.who)
	}
	written, ok := w.disk[addr]
	if !ok || !written.Expires.IsZero() && written.Expires.Before(until) || until.IsZero() && !written.Expires.IsZero() {
		w.t.Fatalf("%s is given to guest %d until %s, and written down is %+v", addr, who, until, written)
	}
	if owner, static := w.owner(addr); static && owner != who && !(owner == 0 && beta) {
		w.t.Fatalf("%s is a static host's, and is given to guest %d", addr, who)
	} else if !static && !w.inRange(addr) {
		w.t.Fatalf("%s is nobody's to give", addr)
	}
	w.believed[addr] = belief{who, until}
}

// owner is the guest that an address is for: 0 is whoever calls itself beta.
func (w *town) owner(addr netip.Addr) (byte, bool) {
	for _, s := range w.doc.Subnets {
		for _, h := range s.Hosts {
			if h.Addr == addr {
				return map[string]byte{"alpha": 1, "beta": 0, "gamma": 2}[h.Name], true
			}
		}
	}
	return 0, false
}

func (w *town) inRange(addr netip.Addr) bool {
	for _, s := range w.doc.Subnets {
		if rangeOf(&s, addr) != nil {
			return true
		}
	}
	return false
}

// check compares what the books say of themselves, and sees that alpha is offered its own.
func (w *town) check() {
	for _, b := range []*book{w.server.dhcp4.book, w.server.dhcp6.book} {
		offers, owned := 0, map[string]int{}
		for addr, h := range b.at {
			require.Equal(w.t, addr, h.lease.Addr)
			if h.state == offered {
				offers++
			}
			if h.counted {
				owned[h.owner]++
			}
			if h.state != declined {
				require.Same(w.t, h, b.of[h.client])
			}
		}
		require.Equal(w.t, offers, b.offers)
		require.Equal(w.t, owned, b.owned)
		require.LessOrEqual(w.t, len(b.at), b.most)
		for client, h := range b.of {
			require.Same(w.t, h, b.at[h.lease.Addr], client)
		}
	}
	alpha := netip.MustParseAddr("10.1.1.101")
	if h := w.server.dhcp4.book.at[alpha]; h != nil && h.state == declined {
		return
	}
	in, err := dhcpv4.New(dhcpv4.WithHwAddr(net.HardwareAddr{0x52, 0x54, 0, 0, 0, 1}), dhcpv4.WithMessageType(dhcpv4.MessageTypeDiscover))
	require.NoError(w.t, err)
	out, _ := w.server.dhcp4.answer(in, w.now)
	require.NotNil(w.t, out, "alpha is offered nothing")
	require.Equal(w.t, alpha, addrOf(out.YourIPAddr))
}

// FuzzGiving plays a town: no address is held by two guests, what a guest is told is written down before it leaves, and each static
// host keeps its own.
func FuzzGiving(f *testing.F) {
	const begin, swap, disk = 31 << 3, 30 << 3, 29 << 3
	const ask, wants13, wants10 = byte(dhcpv4.MessageTypeRequest), 0x19, 0x16
	const six, ask6, wants11 = 1 << 3, byte(dhcpv6.MessageTypeRequest), 0x30
	f.Add([]byte{7, ask, wants13, begin, 0, 0, 6, ask, wants13, 7, ask, wants13})                                // what was given out before the end
	f.Add([]byte{six | 7, ask6, wants11, begin, 0, 0, six | 6, ask6, wants11, six | 7, ask6, wants11})           // and of the other family
	f.Add([]byte{disk, 0, 1, 7, ask, wants13, disk, 0, 0, 7, ask, wants13, begin, 0, 0, 6, ask, wants13})        // a disk that was full
	f.Add([]byte{7, ask, wants10, swap, 0, 1, 7, ask, wants10, 2, ask, wants10, swap, 0, 2, 2, ask, wants10})    // an address that becomes a static host's
	f.Add([]byte{7, ask, wants13, 7, byte(dhcpv4.MessageTypeRelease), 0x40 | 0x20 | 5, 6, ask, wants13})         // given back
	f.Add([]byte{7, ask, wants13, 7, 0xf0, 0, 7, 0xf0, 0, 6, ask, wants13, begin, 0, 0, 7, ask, wants13})        // time passes
	f.Add([]byte{7, ask, wants13, 7, byte(dhcpv4.MessageTypeDecline), 0x20 | wants13, 6, ask, wants13, 7, 1, 0}) // somebody else's
	f.Add([]byte("any words will do, they are as good as any others, and the more the better it is for everybody"))
	f.Fuzz(func(t *testing.T, script []byte) {
		w := newTown(t)
		for k := 0; k+2 < len(script) && k < 900; k += 3 {
			who, kind, what := script[k]&7, script[k+1], script[k+2]
			w.now = w.now.Add(time.Duration(kind>>4) * 10 * time.Second)
			switch action := script[k] >> 3; {
			case action == 31:
				w.begin()
			case action == 30:
				w.doc = documents()[int(what)%3]
				require.NoError(t, w.server.Set(context.Background(), w.doc))
			case action == 29:
				w.full = what&1 != 0
			case action&1 == 0:
				w.says4(who, kind&0xf, what, action>>1%3)
			default:
				w.says6(who, kind&0xf, what, action>>1%2)
			}
			w.check()
		}
	})
}
