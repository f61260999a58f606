// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

const (
	dhcpClientPort = 68
)

// listenDHCP4 opens what DHCPv4 needs, and starts to answer.
func (s *server) listenDHCP4(ctx context.Context, device *net.Interface) error {
	config := bound(device.Name)
	conn, err := config.ListenPacket(ctx, "udp4", netip.AddrPortFrom(netip.IPv4Unspecified(), dhcpPort).String())
	if err != nil {
		return opened("DHCP", err)
	}
	if err := s.sockets.add(conn); err != nil {
		return err
	}
	out, err := openFrames(device)
	if err != nil {
		return err
	}
	if err := s.sockets.add(out); err != nil {
		return err
	}
	s.running.Go(func() { s.serveDHCP4(conn.(*net.UDPConn), out) })
	return nil
}

// serveDHCP4 answers packet by packet, until the socket is closed.
func (s *server) serveDHCP4(conn *net.UDPConn, out *frames) {
	s.hear(conn, anyPacket, func(packet []byte, _ netip.AddrPort) {
		if in, err := dhcpv4.FromBytes(packet); err == nil {
			s.warn(s.answerDHCP4(in, conn, out))
		}
	})
}

// answerDHCP4 answers a packet. What has changed is written down before the answer leaves.
func (s *server) answerDHCP4(in *dhcpv4.DHCPv4, conn *net.UDPConn, out *frames) error {
	s.mu.Lock()
	reply, changes := s.dhcp4.answer(in, time.Now())
	err := s.keep(changes)
	s.mu.Unlock()
	if err != nil || reply == nil {
		return err
	}
	if via := addrOf(in.GatewayIPAddr); via.IsValid() {
		_, err := conn.WriteToUDPAddrPort(reply.ToBytes(), netip.AddrPortFrom(via, dhcpPort))
		return err
	}
	from, ok := netip.AddrFromSlice(reply.ServerIPAddr.To4())
	if id := addrOf(reply.ServerIdentifier()); id.IsValid() {
		from, ok = id, true
	}
	if !ok {
		return nil
	}
	to, hardware := destination(in, reply)
	return out.send(datagram(netip.AddrPortFrom(from, dhcpPort), netip.AddrPortFrom(to, dhcpClientPort), reply.ToBytes()), hardware)
}

// destination is where an answer goes that no relay passes on: RFC 2131, section 4.1. Clients that have no address yet are
// reached by that of their hardware.
func destination(in, reply *dhcpv4.DHCPv4) (netip.Addr, net.HardwareAddr) {
	everybody := netip.AddrFrom4([4]byte{255, 255, 255, 255})
	all := net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	own, given := addrOf(in.ClientIPAddr), addrOf(reply.YourIPAddr)
	hardware := in.ClientHWAddr
	if len(hardware) != etherLen {
		hardware = all
	}
	switch {
	case reply.MessageType() == dhcpv4.MessageTypeNak:
	case own.IsValid():
		return own, hardware
	case !in.IsBroadcast() && given.IsValid():
		return given, hardware
	}
	return everybody, all
}
