// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"encoding/binary"
	"net/netip"
)

// datagram is an IPv4 packet with a UDP datagram in it, with all its sums.
func datagram(from, to netip.AddrPort, data []byte) []byte {
	const header, udp, protocol, life = 20, 8, 17, 64
	p := make([]byte, header+udp, header+udp+len(data))
	p = append(p, data...)
	p[0] = 4<<4 | header/4
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	p[8], p[9] = life, protocol
	copy(p[12:], from.Addr().AsSlice())
	copy(p[16:], to.Addr().AsSlice())
	binary.BigEndian.PutUint16(p[10:], ^fold(sum(0, p[:header])))
	u := p[header:]
	binary.BigEndian.PutUint16(u, from.Port())
	binary.BigEndian.PutUint16(u[2:], to.Port())
	binary.BigEndian.PutUint16(u[4:], uint16(len(u)))
	check := ^fold(sum(sum(protocol+uint32(len(u)), p[12:20]), u))
	if check == 0 {
		check = 0xffff // 0 says that there is none
	}
	binary.BigEndian.PutUint16(u[6:], check)
	return p
}

// sum adds 16 bits by 16 bits, RFC 1071.
func sum(total uint32, data []byte) uint32 {
	for ; len(data) >= 2; data = data[2:] {
		total += uint32(binary.BigEndian.Uint16(data))
	}
	if len(data) == 1 {
		total += uint32(data[0]) << 8
	}
	return total
}

func fold(total uint32) uint16 {
	for total > 0xffff {
		total = total>>16 + total&0xffff
	}
	return uint16(total)
}
