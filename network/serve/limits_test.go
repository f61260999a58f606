// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/stretchr/testify/require"
)

func TestShare(t *testing.T) {
	s := share[string]{most: 3, each: 2}
	require.True(t, s.take("a"))
	require.True(t, s.take("a"))
	require.False(t, s.take("a"), "one has no more than two")
	require.True(t, s.take("b"))
	require.False(t, s.take("c"), "and all no more than three")
	s.give("a")
	require.True(t, s.take("c"))
	for _, who := range []string{"a", "b", "c"} {
		s.give(who)
	}
	require.Empty(t, s.of, "nothing is remembered of those who have nothing")
	require.Zero(t, s.all)
}

func TestPace(t *testing.T) {
	p := pace{rate: 100}
	let := func(now time.Time) (n int) {
		for p.allows(now) {
			n++
		}
		return n
	}
	require.Equal(t, 10, let(start), "a tenth of a second's is saved up")
	require.Zero(t, let(start))
	require.Equal(t, 2, let(start.Add(20*time.Millisecond)))
	require.Equal(t, 10, let(start.Add(time.Hour)), "and no more than that")
	require.Zero(t, let(start), "time that goes back gives nothing")
	slow := pace{rate: 1}
	require.True(t, slow.allows(start), "the slowest lets one through")
}

func TestLimitsOrDefault(t *testing.T) {
	l := Limits{Conns: 7}.orDefault()
	require.Equal(t, 7, l.Conns)
	require.Equal(t, 10_000, l.Packets)
	require.Positive(t, l.Sockets)
}

// TestClientLeases: one card that says it is another client each time gets a few addresses, and others get theirs.
func TestClientLeases(t *testing.T) {
	s := lan()
	d := &dhcp4{server: s, book: newBook(s.Subnets, 16, Limits{ClientLeases: 2}.orDefault())}
	id := func(n byte) dhcpv4.Modifier {
		return dhcpv4.WithGeneric(dhcpv4.OptionClientIdentifier, []byte{0xff, n})
	}
	c := client(t, d, 7)
	require.Equal(t, "ACK", c.lease(id(1))[:3])
	require.Equal(t, "ACK", c.lease(id(2))[:3])
	require.Equal(t, "NAK", c.lease(id(3)))
	require.Equal(t, "ACK", c.lease(id(1))[:3], "what it has it keeps")
	require.Equal(t, "ACK", client(t, d, 8).lease()[:3])
	c.now = start.Add(2 * time.Minute)
	require.Equal(t, "ACK", c.lease(id(3))[:3], "when they have ended it may have others")
	require.Equal(t, "ACK 10.1.1.101", client(t, d, 1).lease(), "a static host has its own")

	// An address that is said to be somebody else's still counts.
	c = client(t, d, 9)
	got := c.packet(dhcpv4.MessageTypeDiscover, id(1)).YourIPAddr.String()
	c.says(dhcpv4.MessageTypeRequest, id(1), wants(got), of("10.1.1.1"))
	c.says(dhcpv4.MessageTypeDecline, id(1), wants(got), of("10.1.1.1"))
	require.Equal(t, 1, d.book.owned["52:54:00:00:00:09"])
}

// TestOffersKeepNobodyOut: who is offered addresses and never asks for them does not keep others from them.
func TestOffersKeepNobodyOut(t *testing.T) {
	d := newLAN()
	for k := range byte(50) {
		require.NotEmpty(t, client(t, d, 100+k).says(dhcpv4.MessageTypeDiscover), "everybody is offered something")
	}
	require.LessOrEqual(t, len(d.book.at), 5)
	held := map[string]bool{}
	for k := range byte(5) {
		got := client(t, d, 10+k).lease()
		require.Equal(t, "ACK", got[:3], "guest %d", k)
		require.False(t, held[got], "%s is given twice", got)
		held[got] = true
	}
	require.Empty(t, client(t, d, 20).lease(), "now all are taken")
	require.NotEmpty(t, d.book.full)
	c := client(t, d, 10)
	addr := c.says(dhcpv4.MessageTypeDiscover)[len("OFFER "):]
	c.says(dhcpv4.MessageTypeRelease, has(addr), of("10.1.1.1"))
	require.Equal(t, "ACK "+addr, client(t, d, 20).lease(), "one that is given back is found at once")

	few := lan()
	d = &dhcp4{server: few, book: newBook(few.Subnets, 16, Limits{Offers: 2}.orDefault())}
	for k := range byte(50) {
		require.NotEmpty(t, client(t, d, 100+k).says(dhcpv4.MessageTypeDiscover))
	}
	require.Len(t, d.book.at, 2, "no more offers are remembered than that")
	require.Equal(t, "ACK", client(t, d, 30).lease()[:3])
}

// TestNotWrittenDown: a lease that could not be written down is written down the next time, even if it is the same.
func TestNotWrittenDown(t *testing.T) {
	d := newLAN()
	c := client(t, d, 7)
	got := c.lease()[len("ACK "):]
	require.Len(t, c.log, 1)
	c.says(dhcpv4.MessageTypeRequest, has(got))
	require.Len(t, c.log, 1, "what is the same is not written again")
	d.book.doubt(c.log)
	c.says(dhcpv4.MessageTypeRequest, has(got))
	require.Len(t, c.log, 2)
	c.says(dhcpv4.MessageTypeRequest, has(got))
	require.Len(t, c.log, 2)
}

// TestPoolOfMany: the ranges are used up to their last address, and it does not take long to see that there is none left.
func TestPoolOfMany(t *testing.T) {
	s := lan()
	s.Subnets[0].Ranges[0].Start, s.Subnets[0].Ranges[0].End = add(s.Subnets[0].Prefix.Masked().Addr(), 16), add(s.Subnets[0].Prefix.Masked().Addr(), 90)
	d := &dhcp4{server: s, book: newBook(s.Subnets, mostLeases(s, Limits{}.orDefault()), Limits{}.orDefault())}
	given := map[string]bool{}
	for k := range 200 {
		c := &talk{t: t, d: d, mac: net.HardwareAddr{2, 0, 0, 0, 1, byte(k)}, now: start}
		if got := c.lease(); got != "" {
			require.False(t, given[got], "%s is given twice", got)
			given[got] = true
		}
	}
	require.Len(t, given, 75, fmt.Sprint(given))
}
