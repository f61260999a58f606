// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const dhcpPort = 67

// sockets are what a server has open. They end its goroutines by being closed.
type sockets struct {
	mu     sync.Mutex
	closed bool
	list   []io.Closer
}

// add takes a socket over. A server that has ended closes it at once.
func (s *sockets) add(c io.Closer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.Join(net.ErrClosed, c.Close())
	}
	s.list = append(s.list, c)
	return nil
}

// drop closes a socket before the server ends.
func (s *sockets) drop(c io.Closer) {
	s.mu.Lock()
	s.list = slices.DeleteFunc(s.list, func(other io.Closer) bool { return other == c })
	s.mu.Unlock()
	_ = c.Close()
}

func (s *sockets) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	var errs []error
	for _, c := range s.list {
		errs = append(errs, c.Close())
	}
	s.list = nil
	return errors.Join(errs...)
}

// listen opens the sockets of a server in its machine, and starts to answer.
func (s *server) listen(ctx context.Context) error {
	return s.ground.Enter(func() error {
		for _, p := range ports(&s.doc) {
			if err := s.listenAt(ctx, &s.ground.Device, p); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *server) listenAt(ctx context.Context, device *net.Interface, p place) error {
	switch p.what {
	case serviceDNS:
		return s.listenDNS(ctx, netip.AddrPortFrom(p.addr, dnsPort))
	case serviceDHCP4:
		return s.listenDHCP4(ctx, device)
	case serviceDHCP6:
		return s.listenDHCP6(ctx, device)
	case serviceRA:
		return s.listenRA(ctx, device)
	}
	return s.listenTFTP(ctx, netip.AddrPortFrom(p.addr, tftpPort))
}

// bound makes sockets that belong to one device: packets of others never reach them.
func bound(device string) net.ListenConfig {
	config := net.ListenConfig{Control: func(network, address string, raw syscall.RawConn) error {
		return control(raw, func(fd int) error {
			return errors.Join(
				unix.SetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE, device),
				unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
				unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_FREEBIND, 1),
			)
		})
	}}
	config.SetMultipathTCP(false)
	return config
}

// control runs f on a socket.
func control(raw syscall.RawConn, f func(fd int) error) error {
	var err error
	if outside := raw.Control(func(fd uintptr) { err = f(int(fd)) }); outside != nil {
		return outside
	}
	return err
}

// An ending listener gives its address free when it is closed. By itself that is taken as long as a process that this program
// is just starting has a copy of the descriptor.
type ending struct{ *net.TCPListener }

func (l ending) Close() error {
	raw, err := l.SyscallConn()
	if err == nil {
		err = control(raw, func(fd int) error { return unix.Shutdown(fd, unix.SHUT_RDWR) })
	}
	return errors.Join(err, l.TCPListener.Close())
}

// opened explains why a socket could not be opened.
func opened(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EADDRINUSE):
		return fmt.Errorf("%s: %w: %w", what, err, fs.ErrExist)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// dial connects in the machine of the server.
func (s *server) dial(ctx context.Context, network string, to netip.AddrPort, deadline time.Time) (conn net.Conn, err error) {
	enterErr := s.ground.Enter(func() error {
		if zone := to.Addr().Zone(); zone != "" {
			if device, lookErr := net.InterfaceByName(zone); lookErr == nil {
				to = netip.AddrPortFrom(to.Addr().WithZone(numbered(device)), to.Port())
			}
		}
		d := net.Dialer{Deadline: deadline}
		conn, err = d.DialContext(ctx, network, to.String())
		return nil
	})
	return conn, errors.Join(enterErr, err)
}

// A frames socket sends packets to hardware addresses, to clients that have no address yet. The kernel makes the frame around
// them, and leaves nothing of them to others: all sums in them are complete.
type frames struct {
	file  *os.File
	index int
}

func openFrames(device *net.Interface) (*frames, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("packet socket: %w", err)
	}
	return &frames{file: os.NewFile(uintptr(fd), "packet"), index: device.Index}, nil
}

func (f *frames) Close() error { return f.file.Close() }

// send sends an IPv4 packet.
func (f *frames) send(packet []byte, to net.HardwareAddr) error {
	addr := &unix.SockaddrLinklayer{Ifindex: f.index, Protocol: swapped(unix.ETH_P_IP), Halen: uint8(len(to))}
	copy(addr.Addr[:], to)
	raw, err := f.file.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = raw.Write(func(fd uintptr) bool {
		sent = unix.Sendto(int(fd), packet, 0, addr)
		return !errors.Is(sent, unix.EAGAIN)
	})
	return errors.Join(err, sent)
}

// swapped is a number in the order of the network.
func swapped(v uint16) uint16 { return v<<8 | v>>8 }
