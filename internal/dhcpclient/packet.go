// SPDX-License-Identifier: Apache-2.0

package dhcpclient

import "encoding/binary"

const (
	ipHeader  = 20
	udpHeader = 8
	udp       = 17
)

// wrap puts a message into a packet from nobody to everybody.
func wrap(payload []byte) []byte {
	b := make([]byte, ipHeader+udpHeader, ipHeader+udpHeader+len(payload))
	b[0], b[8], b[9] = 0x45, 64, udp
	binary.BigEndian.PutUint16(b[2:], uint16(cap(b)))
	copy(b[16:20], []byte{255, 255, 255, 255})
	binary.BigEndian.PutUint16(b[10:], ^sum(0, b[:ipHeader]))
	u := b[ipHeader:]
	binary.BigEndian.PutUint16(u, clientPort)
	binary.BigEndian.PutUint16(u[2:], serverPort)
	binary.BigEndian.PutUint16(u[4:], uint16(udpHeader+len(payload)))
	pseudo := sum(uint32(udp)+uint32(udpHeader+len(payload)), b[12:20])
	check := ^sum(uint32(sum(uint32(pseudo), u)), payload)
	if check == 0 {
		check = 0xffff
	}
	binary.BigEndian.PutUint16(u[6:], check)
	return append(b, payload...)
}

// unwrap is the message of a packet, if it is one from a server to a client. The checksum is not looked at: packets
// from this machine come without, unless somebody repaired them. See intact.
func unwrap(b []byte) ([]byte, bool) {
	if len(b) < ipHeader || b[0]>>4 != 4 || b[9] != udp || binary.BigEndian.Uint16(b[6:])&0x3fff != 0 {
		return nil, false
	}
	header, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if header < ipHeader || total > len(b) || total < header+udpHeader {
		return nil, false
	}
	u := b[header:total]
	size := int(binary.BigEndian.Uint16(u[4:]))
	if binary.BigEndian.Uint16(u) != serverPort || binary.BigEndian.Uint16(u[2:]) != clientPort || size < udpHeader || size > len(u) {
		return nil, false
	}
	return u[udpHeader:size], true
}

// intact reports whether a packet that unwrap took has the checksum it should have, or none.
func intact(b []byte) bool {
	header, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	u := b[header:total]
	if binary.BigEndian.Uint16(u[6:]) == 0 {
		return true
	}
	return sum(uint32(sum(uint32(udp)+uint32(len(u)), b[12:20])), u) == 0xffff
}

// sum adds 16-bit words with carry (RFC 1071).
func sum(start uint32, b []byte) uint16 {
	for ; len(b) >= 2; b = b[2:] {
		start += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		start += uint32(b[0]) << 8
	}
	for start > 0xffff {
		start = start>>16 + start&0xffff
	}
	return uint16(start)
}
