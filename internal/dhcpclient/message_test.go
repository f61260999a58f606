// SPDX-License-Identifier: Apache-2.0

package dhcpclient

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// reply makes the answer of a server out of a question, with these options behind the cookie.
func reply(q *message, options ...byte) []byte {
	b := q.encode()[:headerSize+len(cookie)]
	b[0] = 2
	copy(b[16:], []byte{10, 0, 0, 7})
	copy(b[20:], []byte{10, 0, 0, 1})
	copy(b[108:], "boot\x00")
	return append(b, options...)
}

func TestGrant(t *testing.T) {
	q := &message{kind: request, id: 0x01020304, mac: [6]byte{2, 0, 0, 0, 0, 1}}
	m, err := decode(reply(q, optKind, 1, ack, optPad, optMask, 4, 255, 255, 240, 0, optServer, 4, 10, 0, 0, 1, optRouter, 4, 10, 0, 0, 1,
		optDNS, 4, 10, 0, 0, 1, optDNS, 4, 10, 0, 0, 2, optMTU, 2, 5, 120, optDomain, 3, 'l', 'a', 'n', optHostname, 1, 'h', optTime, 4, 0, 0, 14, 16, optEnd, 9))
	require.NoError(t, err)
	require.Equal(t, q.id, m.id)
	require.Equal(t, q.mac, m.mac)
	g, err := m.grant()
	require.NoError(t, err)
	gateway := netip.MustParseAddr("10.0.0.1")
	require.Equal(t, &Grant{
		Addr: netip.MustParsePrefix("10.0.0.7/20"), Server: gateway, Router: []netip.Addr{gateway}, DNS: []netip.Addr{gateway, netip.MustParseAddr("10.0.0.2")},
		MTU: 1400, Domain: "lan", Hostname: "h", BootFile: "boot", BootServer: gateway, Time: time.Hour,
	}, g)

	m, err = decode(reply(q, optKind, 1, ack, optServer, 4, 10, 0, 0, 1, optTime, 4, 255, 255, 255, 255, optEnd))
	require.NoError(t, err)
	g, err = m.grant()
	require.NoError(t, err)
	require.Negative(t, g.Time)
	require.Equal(t, 32, g.Addr.Bits())
}

func TestOptionsInOtherFields(t *testing.T) {
	b := reply(&message{}, optKind, 1, ack, optServer, 4, 10, 0, 0, 1, optOverload, 1, 3, optEnd)
	copy(b[108:], []byte{optDomain, 2, 'a', 'b', optBootFile, 1, 'f', optEnd})
	copy(b[44:], []byte{optHostname, 1, 'h', optEnd})
	m, err := decode(b)
	require.NoError(t, err)
	g, err := m.grant()
	require.NoError(t, err)
	require.Equal(t, []string{"ab", "h", "f"}, []string{g.Domain, g.Hostname, g.BootFile})
}

func TestDecodeRefuses(t *testing.T) {
	q := &message{}
	good := reply(q, optKind, 1, ack, optEnd)
	for size := range headerSize + len(cookie) + 3 {
		_, err := decode(good[:size])
		require.Error(t, err, size)
	}
	for _, options := range [][]byte{{}, {optKind}, {optKind, 2, ack}, {optKind, 2, ack, ack}, {optDNS, 200, 1}, {optEnd, optKind, 1, ack}} {
		_, err := decode(reply(q, options...))
		require.Error(t, err, options)
	}
	_, err := decode(q.encode())
	require.Error(t, err, "a question is no answer")
	m, err := decode(good)
	require.NoError(t, err)
	_, err = m.grant()
	require.Error(t, err, "nobody gave it")
}

func TestPacket(t *testing.T) {
	payload := (&message{kind: discover, options: map[byte][]byte{optHostname: []byte("web")}}).encode()
	b := wrap(payload)
	require.EqualValues(t, 0xffff, sum(0, b[:ipHeader]), "checksum of the header")
	require.EqualValues(t, 0xffff, sum(uint32(sum(uint32(udp)+uint32(len(b)-ipHeader), b[12:20])), b[ipHeader:]), "checksum of UDP")
	_, ok := unwrap(b)
	require.False(t, ok, "a question")
	b[ipHeader+1], b[ipHeader+3] = serverPort, clientPort
	got, ok := unwrap(append(b, 1, 2, 3))
	require.True(t, ok)
	require.Equal(t, payload, got)
	for size := range b {
		_, ok := unwrap(b[:size])
		require.False(t, ok)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(wrap(reply(&message{}, optKind, 1, ack, optServer, 4, 10, 0, 0, 1, optOverload, 1, 3, optEnd)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if payload, ok := unwrap(b); ok {
			b = payload
		}
		if m, err := decode(b); err == nil {
			_, _ = m.grant()
		}
	})
}
