// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/go-virtnet/virtnet/network/host"
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

// A reply4 is an answer to a packet, and from which address of the host it comes.
type reply4 struct {
	in, out *dhcpv4.DHCPv4
	from    netip.Addr
}

// serveDHCP4 answers packets until the socket is closed. What has changed by those that came together is written down
// together, before the first answer leaves.
func (s *server) serveDHCP4(conn *net.UDPConn, out *frames) {
	rate := pace{rate: s.limits.Packets}
	s.hear(conn, func(a *arena) {
		var replies []reply4
		now := time.Now()
		s.giving.Lock()
		var changes []host.LeaseChange
		for _, p := range a.packets {
			in, err := dhcpv4.FromBytes(p.data)
			if err != nil || !rate.allows(now) {
				continue
			}
			reply, from, more := s.dhcp4.answerFrom(in, now)
			changes = append(changes, more...)
			if reply != nil {
				replies = append(replies, reply4{in, reply, from})
			}
		}
		err := s.keep(changes)
		s.giving.Unlock()
		if err != nil {
			s.warn(err)
			return
		}
		for _, r := range replies {
			s.warn(r.send(conn, out))
		}
	})
}

// send sends an answer to whoever can pass it on, or has asked for it.
func (r reply4) send(conn *net.UDPConn, out *frames) error {
	if via := addrOf(r.in.GatewayIPAddr); via.IsValid() {
		_, err := conn.WriteToUDPAddrPort(r.out.ToBytes(), netip.AddrPortFrom(via, dhcpPort))
		return err
	}
	to, hardware := destination(r.in, r.out)
	return out.send(datagram(netip.AddrPortFrom(r.from, dhcpPort), netip.AddrPortFrom(to, dhcpClientPort), r.out.ToBytes()), hardware)
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
	case !reply.IsBroadcast() && given.IsValid():
		return given, hardware
	}
	return everybody, all
}
