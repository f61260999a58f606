// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network/host"
)

// lan6 is a network of four addresses to choose from, and two static hosts: alpha by its identifier, beta by its name.
func lan6() *host.Server {
	return &host.Server{
		Name: "lan", Link: "lan0", Domain: "lan.example", DNS: &host.DNS{},
		Subnets: []host.Subnet{{
			Prefix: netip.MustParsePrefix("fd00:1::1/64"),
			Ranges: []host.Range{{Start: netip.MustParseAddr("fd00:1::10"), End: netip.MustParseAddr("fd00:1::13"), Lease: host.LeaseTime(2 * time.Minute)}},
			Hosts: []host.StaticHost{
				{DUID: "00:03:00:01:52:54:00:00:00:01", Name: "alpha", Addr: netip.MustParseAddr("fd00:1::a"), Lease: host.Infinite},
				{Name: "beta", Addr: netip.MustParseAddr("fd00:1::12")},
			},
		}},
	}
}

func newLAN6() *dhcp6 {
	s := lan6()
	return &dhcp6{server: s, book: newBook(s.Subnets, 16, Limits{}.orDefault()), id: serverID(s.Name)}
}

// A talk6 is one client who talks to a server.
type talk6 struct {
	t   *testing.T
	d   *dhcp6
	id  dhcpv6.DUID
	now time.Time
	log []host.LeaseChange
}

func client6Of(t *testing.T, d *dhcp6, last byte) *talk6 {
	return &talk6{t: t, d: d, now: start, id: &dhcpv6.DUIDLL{HWType: iana.HWTypeEthernet, LinkLayerAddr: net.HardwareAddr{0x52, 0x54, 0, 0, 0, last}}}
}

func (c *talk6) packet(kind dhcpv6.MessageType, with ...dhcpv6.Modifier) *dhcpv6.Message {
	c.t.Helper()
	in := &dhcpv6.Message{MessageType: kind}
	for _, m := range append([]dhcpv6.Modifier{dhcpv6.WithClientID(c.id)}, with...) {
		m(in)
	}
	packet, err := dhcpv6.FromBytes(in.ToBytes())
	require.NoError(c.t, err)
	out, changes := c.d.answer(packet, c.now)
	c.log = append(c.log, changes...)
	if out == nil {
		return nil
	}
	back, err := dhcpv6.MessageFromBytes(out.ToBytes())
	require.NoError(c.t, err)
	require.Equal(c.t, c.id, back.Options.ClientID())
	require.True(c.t, back.Options.ServerID().Equal(c.d.id))
	return back
}

// says sends a message and tells the answer: its kind, and of each association the addresses or why there is none.
func (c *talk6) says(kind dhcpv6.MessageType, with ...dhcpv6.Modifier) string {
	c.t.Helper()
	out := c.packet(kind, with...)
	if out == nil {
		return ""
	}
	words := []string{out.MessageType.String()}
	ias := out.Options.IANA()
	given := len(ias) > 0 && len(ias[0].Options.Addresses()) > 0
	if s := out.Options.Status(); s != nil && !given { // with an address it goes without saying
		words = append(words, s.StatusCode.String())
	}
	for _, ia := range ias {
		for _, addr := range ia.Options.Addresses() {
			word := addrText(addr.IPv6Addr)
			if addr.ValidLifetime == 0 {
				word = "no longer " + word
			}
			words = append(words, word)
		}
		if s := ia.Options.Status(); s != nil {
			words = append(words, s.StatusCode.String())
		}
	}
	return strings.Join(words, " ")
}

func ia(addr string) dhcpv6.Modifier {
	if addr == "" {
		return dhcpv6.WithIANA()
	}
	return dhcpv6.WithIANA(dhcpv6.OptIAAddress{IPv6Addr: net.ParseIP(addr)})
}

func (c *talk6) ofUs() dhcpv6.Modifier { return dhcpv6.WithServerID(c.d.id) }

func (c *talk6) lease(addr string, with ...dhcpv6.Modifier) string {
	c.t.Helper()
	return c.says(dhcpv6.MessageTypeRequest, append(with, ia(addr), c.ofUs())...)
}

func TestDHCP6(t *testing.T) {
	for name, talks := range map[string]func(t *testing.T, d *dhcp6){
		"offered, asked for, renewed": func(t *testing.T, d *dhcp6) {
			c := client6Of(t, d, 7)
			require.Equal(t, "ADVERTISE fd00:1::11", c.says(dhcpv6.MessageTypeSolicit, ia("fd00:1::11")))
			require.Empty(t, c.log)
			require.Equal(t, "REPLY fd00:1::11", c.lease("fd00:1::11"))
			c.now = start.Add(time.Minute)
			require.Equal(t, "REPLY fd00:1::11", c.says(dhcpv6.MessageTypeRenew, ia("fd00:1::11"), c.ofUs()))
			require.Equal(t, "REPLY fd00:1::11", c.says(dhcpv6.MessageTypeRebind, ia("fd00:1::11")))
			require.Equal(t, host.Lease{Addr: netip.MustParseAddr("fd00:1::11"), ClientID: "00:03:00:01:52:54:00:00:00:07", Expires: start.Add(3 * time.Minute)}, c.log[1].Lease)
			require.Len(t, c.log, 2, "what is the same is written down once")
		},
		"at once, for who wants it so": func(t *testing.T, d *dhcp6) {
			require.Equal(t, "REPLY fd00:1::13", client6Of(t, d, 7).says(dhcpv6.MessageTypeSolicit, ia("fd00:1::13"), dhcpv6.WithRapidCommit))
		},
		"a static host by its identifier": func(t *testing.T, d *dhcp6) {
			c := client6Of(t, d, 1)
			require.Equal(t, "REPLY fd00:1::a", c.lease("fd00:1::13"))
			require.True(t, c.log[0].Lease.Expires.IsZero())
			require.Equal(t, "alpha", c.log[0].Lease.Hostname)
		},
		"a static host by its name": func(t *testing.T, d *dhcp6) {
			require.Equal(t, "REPLY fd00:1::12", client6Of(t, d, 9).lease("", dhcpv6.WithFQDN(0, "beta")))
		},
		"nobody else's, and no more than there are": func(t *testing.T, d *dhcp6) {
			got := map[string]bool{}
			for k := range byte(3) {
				got[client6Of(t, d, 20+k).lease("fd00:1::12")] = true
			}
			require.Equal(t, map[string]bool{"REPLY fd00:1::10": true, "REPLY fd00:1::11": true, "REPLY fd00:1::13": true}, got)
			require.Equal(t, "REPLY NoAddrsAvail", client6Of(t, d, 30).lease(""))
			require.Equal(t, "ADVERTISE NoAddrsAvail", client6Of(t, d, 30).says(dhcpv6.MessageTypeSolicit, ia("")))
		},
		"unknown to the server, and somebody has it": func(t *testing.T, d *dhcp6) {
			require.Equal(t, "REPLY fd00:1::11", client6Of(t, d, 7).lease("fd00:1::11"))
			c := client6Of(t, d, 8)
			require.Equal(t, "REPLY NoBinding", c.says(dhcpv6.MessageTypeRenew, ia("fd00:1::11"), c.ofUs()))
		},
		"released, declined": func(t *testing.T, d *dhcp6) {
			c, other := client6Of(t, d, 7), client6Of(t, d, 8)
			require.Equal(t, "REPLY fd00:1::11", c.lease("fd00:1::11"))
			require.Equal(t, "REPLY Success NoBinding", other.says(dhcpv6.MessageTypeRelease, ia("fd00:1::11"), c.ofUs()))
			require.Equal(t, "REPLY Success", c.says(dhcpv6.MessageTypeRelease, ia("fd00:1::11"), c.ofUs()))
			require.True(t, c.log[1].Gone)
			require.Equal(t, "REPLY fd00:1::11", other.lease("fd00:1::11"))
			require.Equal(t, "REPLY Success", other.says(dhcpv6.MessageTypeDecline, ia("fd00:1::11"), c.ofUs()))
			require.NotEqual(t, "REPLY fd00:1::11", c.lease("fd00:1::11"))
			other.now = start.Add(declineTime)
			require.Equal(t, "REPLY fd00:1::11", other.lease("fd00:1::11"))
		},
		"confirmed or not": func(t *testing.T, d *dhcp6) {
			c := client6Of(t, d, 7)
			require.Equal(t, "REPLY Success", c.says(dhcpv6.MessageTypeConfirm, ia("fd00:1::77")))
			require.Equal(t, "REPLY NotOnLink", c.says(dhcpv6.MessageTypeConfirm, ia("fd00:2::77")))
			require.Empty(t, c.says(dhcpv6.MessageTypeConfirm))
		},
		"the rest, and no address": func(t *testing.T, d *dhcp6) {
			out := client6Of(t, d, 7).packet(dhcpv6.MessageTypeInformationRequest)
			require.Equal(t, "fd00:1::1", addrText(out.Options.DNS()[0]))
			require.Equal(t, []string{"lan.example"}, out.Options.DomainSearchList().Labels)
			require.Empty(t, out.Options.IANA())
		},
		"of another server, or of none": func(t *testing.T, d *dhcp6) {
			c := client6Of(t, d, 7)
			require.Empty(t, c.says(dhcpv6.MessageTypeRequest, ia(""), dhcpv6.WithServerID(serverID("other"))))
			require.Empty(t, c.says(dhcpv6.MessageTypeRequest, ia("")))
			require.Empty(t, c.says(dhcpv6.MessageTypeSolicit, ia(""), c.ofUs()))
			require.Empty(t, c.says(dhcpv6.MessageTypeAdvertise, ia("")))
		},
		"no prefixes": func(t *testing.T, d *dhcp6) {
			out := client6Of(t, d, 7).packet(dhcpv6.MessageTypeSolicit, dhcpv6.WithIAPD([4]byte{1}))
			require.Equal(t, iana.StatusNoPrefixAvail, out.Options.IAPD()[0].Options.Status().StatusCode)
		},
		"relayed": func(t *testing.T, d *dhcp6) {
			in := &dhcpv6.Message{MessageType: dhcpv6.MessageTypeSolicit}
			dhcpv6.WithClientID(client6Of(t, d, 7).id)(in)
			ia("fd00:1::11")(in)
			for link, want := range map[string]bool{"fd00:1::9": true, "fd00:9::9": false} {
				relay, err := dhcpv6.EncapsulateRelay(in, dhcpv6.MessageTypeRelayForward, net.ParseIP(link), net.ParseIP("fe80::7"))
				require.NoError(t, err)
				out, _ := d.answer(relay, start)
				require.Equal(t, want, out != nil, link)
				if out != nil {
					inner, err := out.GetInnerMessage()
					require.NoError(t, err)
					require.Equal(t, dhcpv6.MessageTypeAdvertise, inner.MessageType)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) { talks(t, newLAN6()) })
	}
}

// FuzzDHCP6 is FuzzDHCP4 for the other family.
func FuzzDHCP6(f *testing.F) {
	f.Add([]byte{7, 1, 1, 7, 3, 1, 8, 3, 1, 7, 8, 1})
	f.Add([]byte("any words will do, they are as good as any others"))
	f.Fuzz(func(t *testing.T, script []byte) {
		d, now := newLAN6(), start
		held := map[netip.Addr]host.Lease{}
		for k := 0; k+2 < len(script) && k < 600; k += 3 {
			who, kind, what := script[k]%8, script[k+1], script[k+2]
			now = now.Add(time.Duration(kind>>4) * 10 * time.Second)
			c := client6Of(t, d, who)
			in := &dhcpv6.Message{MessageType: dhcpv6.MessageType(kind % 14)}
			dhcpv6.WithClientID(c.id)(in)
			dhcpv6.WithIAID([4]byte{0, 0, 0, what >> 6 & 1})(in)
			if what&0x10 != 0 {
				for _, na := range in.Options.IANA() {
					na.Options.Add(&dhcpv6.OptIAAddress{IPv6Addr: append(net.ParseIP("fd00:1::")[:15:15], 8+what%13)})
				}
			}
			if what&0x20 != 0 {
				c.ofUs()(in)
			}
			if what&0x80 != 0 {
				dhcpv6.WithFQDN(0, "beta")(in)
			}
			out, changes := d.answer(in, now)
			for _, change := range changes {
				if change.Gone {
					delete(held, change.Lease.Addr)
				} else {
					held[change.Lease.Addr] = change.Lease
				}
			}
			if out == nil || out.(*dhcpv6.Message).MessageType != dhcpv6.MessageTypeReply {
				continue
			}
			for _, na := range out.(*dhcpv6.Message).Options.IANA() {
				for _, addr := range na.Options.Addresses() {
					got := addrOf(addr.IPv6Addr)
					if addr.ValidLifetime == 0 {
						continue
					}
					if held[got].ClientID != hexBytes(c.id.ToBytes()) || held[got].IAID != uint32(na.IaId[3]) {
						t.Fatalf("%s is given to client %d and written down for %+v", got, who, held[got])
					}
					if got == lan6().Subnets[0].Hosts[0].Addr && who != 1 {
						t.Fatalf("client %d has the address of alpha", who)
					}
				}
			}
		}
		for addr, h := range d.book.at {
			if h.state == leased && held[addr] != h.lease {
				t.Fatalf("%s: written down is %v, held %v", addr, held[addr], h.lease)
			}
		}
	})
}
