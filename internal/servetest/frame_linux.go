// SPDX-License-Identifier: Apache-2.0

package servetest

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
)

const (
	etherLen = 14
	typeIPv4 = 0x0800
	typeARP  = 0x0806
	typeIPv6 = 0x86dd

	protoUDP   = 17
	protoICMP6 = 58
)

// Everybody is the hardware address of all.
var Everybody = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// A Datagram is what a frame with UDP or ICMPv6 carries.
type Datagram struct {
	FromHardware, ToHardware net.HardwareAddr
	From, To                 netip.AddrPort
	Hops                     byte
	// Sums reports whether all sums in it are right. Where the kernel leaves one to the device it is not.
	Sums bool
	// Proto is 17 for UDP, whose payload Data is, and 58 for ICMPv6, whose whole message it is.
	Proto byte
	Data  []byte
}

func ether(to, from net.HardwareAddr, kind uint16, payload []byte) []byte {
	frame := append(append(bytes.Clone(to), from...), byte(kind>>8), byte(kind))
	return append(frame, payload...)
}

// Frame is the frame of a datagram, with all sums.
func (d *Datagram) Frame() []byte {
	data := d.Data
	if d.Proto == protoUDP {
		data = binary.BigEndian.AppendUint16(nil, d.From.Port())
		data = binary.BigEndian.AppendUint16(data, d.To.Port())
		data = binary.BigEndian.AppendUint16(data, uint16(8+len(d.Data)))
		data = append(append(data, 0, 0), d.Data...)
	} else {
		data = bytes.Clone(data)
	}
	from, to := d.From.Addr().AsSlice(), d.To.Addr().AsSlice()
	at := map[byte]int{protoUDP: 6, protoICMP6: 2}[d.Proto]
	data[at], data[at+1] = 0, 0
	sum := ^fold(add(add(add(uint32(d.Proto)+uint32(len(data)), from), to), data))
	if sum == 0 {
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(data[at:], sum)
	hops := d.Hops
	if hops == 0 {
		hops = 64
	}
	if d.From.Addr().Is4() {
		h := make([]byte, 20)
		h[0], h[8], h[9] = 0x45, hops, d.Proto
		binary.BigEndian.PutUint16(h[2:], uint16(20+len(data)))
		copy(h[12:], from)
		copy(h[16:], to)
		binary.BigEndian.PutUint16(h[10:], ^fold(add(0, h)))
		return ether(d.ToHardware, d.FromHardware, typeIPv4, append(h, data...))
	}
	h := make([]byte, 40)
	h[0], h[6], h[7] = 6<<4, d.Proto, hops
	binary.BigEndian.PutUint16(h[4:], uint16(len(data)))
	copy(h[8:], from)
	copy(h[24:], to)
	return ether(d.ToHardware, d.FromHardware, typeIPv6, append(h, data...))
}

// ReadDatagram reads a frame with UDP or ICMPv6; ok is false for any other.
func ReadDatagram(frame []byte) (d Datagram, ok bool) {
	if len(frame) < etherLen {
		return d, false
	}
	d.ToHardware, d.FromHardware = net.HardwareAddr(frame[:6]), net.HardwareAddr(frame[6:12])
	p := frame[etherLen:]
	var from, to netip.Addr
	d.Sums = true
	switch kind := binary.BigEndian.Uint16(frame[12:]); {
	case kind == typeIPv4 && len(p) >= 20:
		size, total := int(p[0]&15)*4, int(binary.BigEndian.Uint16(p[2:]))
		if size < 20 || total < size || len(p) < total {
			return d, false
		}
		from, to = netip.AddrFrom4([4]byte(p[12:])), netip.AddrFrom4([4]byte(p[16:]))
		d.Hops, d.Proto, d.Sums = p[8], p[9], fold(add(0, p[:size])) == 0xffff
		p = p[size:total]
	case kind == typeIPv6 && len(p) >= 40:
		total := int(binary.BigEndian.Uint16(p[4:]))
		if len(p) < 40+total {
			return d, false
		}
		from, to = netip.AddrFrom16([16]byte(p[8:])), netip.AddrFrom16([16]byte(p[24:]))
		d.Hops, d.Proto = p[7], p[6]
		p = p[40 : 40+total]
	default:
		return d, false
	}
	if len(p) < 8 || d.Proto != protoUDP && d.Proto != protoICMP6 {
		return d, false
	}
	sum := fold(add(add(add(uint32(d.Proto)+uint32(len(p)), from.AsSlice()), to.AsSlice()), p))
	d.Sums = d.Sums && sum == 0xffff
	d.From, d.To, d.Data = netip.AddrPortFrom(from, 0), netip.AddrPortFrom(to, 0), p
	if d.Proto == protoUDP {
		d.From = netip.AddrPortFrom(from, binary.BigEndian.Uint16(p))
		d.To, d.Data = netip.AddrPortFrom(to, binary.BigEndian.Uint16(p[2:])), p[8:]
	}
	return d, true
}

// add adds 16 bits by 16 bits; what it is given ends at a whole number of them, but for the last.
func add(total uint32, data []byte) uint32 {
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

// tellHardware answers a frame that asks for the hardware of a guest's address, by ARP or neighbour discovery, and reports
// whether it was one.
func (s *Station) tellHardware(frame []byte) bool {
	const ask, tell = 1, 2
	if len(frame) >= etherLen+28 && binary.BigEndian.Uint16(frame[12:]) == typeARP {
		p := frame[etherLen : etherLen+28]
		target := netip.AddrFrom4([4]byte(p[24:]))
		own := s.hardwareOf(target)
		if p[7] != ask || own == nil {
			return true
		}
		back := append([]byte{0, 1, 8, 0, 6, 4, 0, tell}, own...)
		back = append(append(append(back, p[24:28]...), p[8:14]...), p[14:18]...)
		s.Send(ether(p[8:14], own, typeARP, back))
		return true
	}
	d, ok := ReadDatagram(frame)
	const solicitation, advertisement = 135, 136
	if !ok || d.Proto != protoICMP6 || d.Data[0] != solicitation || len(d.Data) < 24 {
		return false
	}
	target := netip.AddrFrom16([16]byte(d.Data[8:]))
	own := s.hardwareOf(target)
	if own == nil || d.From.Addr().IsUnspecified() {
		return true
	}
	const solicitedOverride = 3 << 5
	message := append([]byte{advertisement, 0, 0, 0, solicitedOverride, 0, 0, 0}, target.AsSlice()...)
	message = append(append(message, 2, 1), own...)
	answer := Datagram{FromHardware: own, ToHardware: d.FromHardware, From: netip.AddrPortFrom(target, 0), To: d.From, Hops: 255, Proto: protoICMP6, Data: message}
	s.Send(answer.Frame())
	return true
}
