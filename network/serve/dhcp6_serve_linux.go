// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/network/host"
)

const dhcp6Port = 547

// The groups that clients and relays speak to: RFC 8415, section 7.1.
var allServers = []netip.Addr{netip.MustParseAddr("ff02::1:2"), netip.MustParseAddr("ff05::1:3")}

// listenDHCP6 opens what DHCPv6 needs, and starts to answer.
func (s *server) listenDHCP6(ctx context.Context, device *net.Interface) error {
	config := bound(device.Name)
	device4 := config.Control
	config.Control = func(network, address string, raw syscall.RawConn) error {
		join := control(raw, func(fd int) error {
			errs := []error{unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)}
			for _, group := range allServers {
				mreq := &unix.IPv6Mreq{Multiaddr: group.As16(), Interface: uint32(device.Index)}
				errs = append(errs, unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP, mreq))
			}
			return errors.Join(errs...)
		})
		return errors.Join(device4(network, address, raw), join)
	}
	conn, err := config.ListenPacket(ctx, "udp6", netip.AddrPortFrom(netip.IPv6Unspecified(), dhcp6Port).String())
	if err != nil {
		return opened("DHCPv6", err)
	}
	if err := s.sockets.add(conn); err != nil {
		return err
	}
	s.running.Go(func() { s.serveDHCP6(conn.(*net.UDPConn)) })
	return nil
}

// serveDHCP6 answers packets as serveDHCP4 does.
func (s *server) serveDHCP6(conn *net.UDPConn) {
	rate := pace{rate: s.limits.Packets}
	s.hear(conn, func(a *arena) {
		replies := make([][]byte, len(a.packets))
		now := time.Now()
		s.giving.Lock()
		var changes []host.LeaseChange
		for k, p := range a.packets {
			in, err := dhcpv6.FromBytes(p.data)
			if err != nil || !rate.allows(now) {
				continue
			}
			reply, more := s.dhcp6.answer(in, now)
			changes = append(changes, more...)
			if reply != nil {
				replies[k] = reply.ToBytes()
			}
		}
		err := s.keep(changes)
		s.giving.Unlock()
		if err != nil {
			s.warn(err)
			return
		}
		for k, reply := range replies {
			if reply != nil {
				_, err := conn.WriteToUDPAddrPort(reply, a.packets[k].from)
				s.warn(err)
			}
		}
	})
}
