// SPDX-License-Identifier: Apache-2.0

package dhcpclient

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"net/netip"
	"time"
)

// The kinds of messages (RFC 2132, 9.6).
const (
	discover = 1
	offer    = 2
	request  = 3
	ack      = 5
	nak      = 6
)

// The options that are sent or read (RFC 2132).
const (
	optPad        = 0
	optMask       = 1
	optRouter     = 3
	optDNS        = 6
	optHostname   = 12
	optDomain     = 15
	optMTU        = 26
	optAddress    = 50
	optTime       = 51
	optOverload   = 52
	optKind       = 53
	optServer     = 54
	optParameters = 55
	optBootFile   = 67
	optClientID   = 61
	optEnd        = 255
)

const (
	headerSize = 236
	serverPort = 67
	clientPort = 68
)

var cookie = []byte{99, 130, 83, 99}

// A message is a DHCP message as far as a client needs it.
type message struct {
	kind    byte
	id      uint32
	mac     [6]byte
	yours   netip.Addr
	next    netip.Addr
	file    string
	options map[byte][]byte
}

// encode writes a question of a client, which asks for an answer by broadcast: it has no address yet.
func (m *message) encode() []byte {
	b := make([]byte, headerSize, 300)
	b[0], b[1], b[2] = 1, 1, 6
	binary.BigEndian.PutUint32(b[4:], m.id)
	binary.BigEndian.PutUint16(b[10:], 0x8000)
	copy(b[28:], m.mac[:])
	b = append(b, cookie...)
	b = append(b, optKind, 1, m.kind)
	for _, option := range []byte{optAddress, optServer, optHostname, optClientID, optParameters} {
		if value := m.options[option]; len(value) > 0 && len(value) < 256 {
			b = append(b, option, byte(len(value)))
			b = append(b, value...)
		}
	}
	b = append(b, optEnd)
	// Some servers want the size of a BOOTP message.
	return append(b, make([]byte, max(0, 300-len(b)))...)
}

var errMessage = errors.New("no DHCP message")

// decode reads an answer of a server.
func decode(b []byte) (*message, error) {
	if len(b) < headerSize+len(cookie) || b[0] != 2 || b[2] != 6 || !bytes.Equal(b[headerSize:headerSize+len(cookie)], cookie) {
		return nil, errMessage
	}
	m := &message{id: binary.BigEndian.Uint32(b[4:]), options: map[byte][]byte{}}
	copy(m.mac[:], b[28:])
	m.yours = netip.AddrFrom4([4]byte(b[16:20]))
	if next := netip.AddrFrom4([4]byte(b[20:24])); !next.IsUnspecified() {
		m.next = next
	}
	if err := m.decodeOptions(b[headerSize+len(cookie):]); err != nil {
		return nil, err
	}
	overload := byte(0)
	if v := m.options[optOverload]; len(v) == 1 {
		overload = v[0]
	}
	if overload&1 != 0 {
		if err := m.decodeOptions(b[108:236]); err != nil {
			return nil, err
		}
	} else {
		m.file = text(b[108:236])
	}
	if overload&2 != 0 {
		if err := m.decodeOptions(b[44:108]); err != nil {
			return nil, err
		}
	}
	if v := m.options[optBootFile]; len(v) > 0 {
		m.file = text(v)
	}
	kind := m.options[optKind]
	if len(kind) != 1 {
		return nil, errMessage
	}
	m.kind = kind[0]
	return m, nil
}

func (m *message) decodeOptions(b []byte) error {
	for len(b) > 0 && b[0] != optEnd {
		if b[0] == optPad {
			b = b[1:]
			continue
		}
		if len(b) < 2 || len(b) < 2+int(b[1]) {
			return errMessage
		}
		// An option that is given in parts is one (RFC 3396).
		m.options[b[0]] = append(m.options[b[0]], b[2:2+int(b[1])]...)
		b = b[2+int(b[1]):]
	}
	return nil
}

// text is what stands before the first zero byte.
func text(b []byte) string {
	before, _, _ := bytes.Cut(b, []byte{0})
	return string(before)
}

func addrs(b []byte) (list []netip.Addr) {
	for ; len(b) >= 4; b = b[4:] {
		list = append(list, netip.AddrFrom4([4]byte(b)))
	}
	return list
}

// grant is what an ACK gives.
func (m *message) grant() (*Grant, error) {
	g := &Grant{
		Router: addrs(m.options[optRouter]), DNS: addrs(m.options[optDNS]), Domain: text(m.options[optDomain]),
		Hostname: text(m.options[optHostname]), BootFile: m.file, BootServer: m.next,
	}
	bits := m.yours.BitLen()
	if mask := m.options[optMask]; len(mask) == 4 {
		value := binary.BigEndian.Uint32(mask)
		for bits = 0; value&(1<<31) != 0; bits++ {
			value <<= 1
		}
	}
	g.Addr = netip.PrefixFrom(m.yours, bits)
	servers := addrs(m.options[optServer])
	if m.yours.IsUnspecified() || len(servers) == 0 {
		return nil, errMessage
	}
	g.Server = servers[0]
	if mtu := m.options[optMTU]; len(mtu) == 2 {
		g.MTU = int(binary.BigEndian.Uint16(mtu))
	}
	if seconds := m.options[optTime]; len(seconds) == 4 {
		g.Time = time.Duration(binary.BigEndian.Uint32(seconds)) * time.Second
		if g.Time == math.MaxUint32*time.Second {
			g.Time = -1
		}
	}
	return g, nil
}
