// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"github.com/mdlayher/netlink"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A kernel is a socket that messages are sent into as they are.
type kernel struct {
	fd     int
	answer [64 << 10]byte
}

func newKernel(b testing.TB, protocol int) *kernel {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	require.NoError(b, err)
	b.Cleanup(func() { unix.Close(fd) })
	require.NoError(b, unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
	return &kernel{fd: fd}
}

// do sends messages of which one wants an answer, and returns that.
func (k *kernel) do(messages []byte) error {
	if err := unix.Sendto(k.fd, messages, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	n, _, err := unix.Recvfrom(k.fd, k.answer[:], 0)
	if err != nil {
		return err
	}
	if n < unix.NLMSG_HDRLEN+4 {
		return fmt.Errorf("%d bytes of an answer", n)
	}
	if errno := int32(binary.NativeEndian.Uint32(k.answer[unix.NLMSG_HDRLEN:])); errno != 0 {
		return unix.Errno(-errno)
	}
	return nil
}

// The messages of this file are rtnetlink's, made before the clock runs.
func message(b testing.TB, kind uint16, flags netlink.HeaderFlags, fixed []byte, add func(*netlink.AttributeEncoder)) []byte {
	ae := netlink.NewAttributeEncoder()
	add(ae)
	attributes, err := ae.Encode()
	require.NoError(b, err)
	m := netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(kind), Flags: netlink.Request | netlink.Acknowledge | flags, Sequence: 1},
		Data:   append(fixed, attributes...),
	}
	m.Header.Length = uint32(unix.NLMSG_HDRLEN + len(m.Data))
	data, err := m.MarshalBinary()
	require.NoError(b, err)
	return data
}

func linkMessage(b testing.TB, kind uint16, flags netlink.HeaderFlags, index int, up bool, add func(*netlink.AttributeEncoder)) []byte {
	fixed := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(fixed[4:], uint32(index))
	if up {
		binary.NativeEndian.PutUint32(fixed[8:], unix.IFF_UP)
		binary.NativeEndian.PutUint32(fixed[12:], unix.IFF_UP)
	}
	return message(b, kind, flags, fixed, add)
}

// newBridge makes a bridge and switches it on.
func newBridge(b testing.TB, name string, mac [6]byte) []byte {
	return linkMessage(b, unix.RTM_NEWLINK, netlink.Create|netlink.Excl, 0, true, func(ae *netlink.AttributeEncoder) {
		ae.String(unix.IFLA_IFNAME, name)
		ae.Bytes(unix.IFLA_ADDRESS, mac[:])
		ae.Nested(unix.IFLA_LINKINFO, func(ae *netlink.AttributeEncoder) error {
			ae.String(unix.IFLA_INFO_KIND, "bridge")
			ae.Nested(unix.IFLA_INFO_DATA, func(ae *netlink.AttributeEncoder) error {
				ae.Uint32(unix.IFLA_BR_STP_STATE, 1)
				ae.Uint32(unix.IFLA_BR_FORWARD_DELAY, 200)
				return nil
			})
			return nil
		})
	})
}

// markLink says whose a link is, which the kernel does not take in the message that makes it.
func markLink(b testing.TB, name, owner string) []byte {
	return linkMessage(b, unix.RTM_SETLINK, 0, 0, false, func(ae *netlink.AttributeEncoder) {
		ae.String(unix.IFLA_IFNAME, name)
		ae.String(unix.IFLA_IFALIAS, owner)
	})
}

func deleteLink(b testing.TB, name string) []byte {
	return linkMessage(b, unix.RTM_DELLINK, 0, 0, false, func(ae *netlink.AttributeEncoder) { ae.String(unix.IFLA_IFNAME, name) })
}

// newAddr gives a link an address; the message names the link by its index, which is filled in by setIndex.
func newAddr(b testing.TB, p netip.Prefix) []byte {
	fixed := make([]byte, unix.SizeofIfAddrmsg)
	fixed[0], fixed[1] = unix.AF_INET, byte(p.Bits())
	return message(b, unix.RTM_NEWADDR, netlink.Create|netlink.Excl, fixed, func(ae *netlink.AttributeEncoder) {
		ae.Bytes(unix.IFA_LOCAL, p.Addr().AsSlice())
		ae.Bytes(unix.IFA_ADDRESS, p.Addr().AsSlice())
		broadcast := p.Addr().As4()
		binary.BigEndian.PutUint32(broadcast[:], binary.BigEndian.Uint32(broadcast[:])|(1<<(32-p.Bits())-1))
		ae.Bytes(unix.IFA_BROADCAST, broadcast[:])
	})
}

// setIndex fills the index of a link into a message about a link or an address: both have it in the same place.
func setIndex(m []byte, index int) []byte {
	binary.NativeEndian.PutUint32(m[unix.NLMSG_HDRLEN+4:], uint32(index))
	return m
}

// indexOf asks for a link by its name, by the shortest way.
func indexOf(fd int, name string) (int, error) {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return 0, err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request); err != nil {
		return 0, err
	}
	return int(request.Uint32()), nil
}

func writeFile(name, text string) error {
	fd, err := unix.Open(name, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	_, err = unix.Write(fd, []byte(text))
	unix.Close(fd)
	return err
}
