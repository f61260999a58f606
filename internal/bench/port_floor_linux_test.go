// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/mdlayher/netlink"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The floors of this file leave the host, and what is written about the guest, as the library does: the same device with the same
// address, size and mark, on which the host has no IPv6, on the same bridge; and the record, written once and as a whole.

const (
	rawLink   = "raw0"
	rawSilent = "/proc/sys/net/ipv6/conf/" + rawLink + "/disable_ipv6"
)

var rawMAC = []byte{0x52, 0x54, 0, 1, 2, 3}

// rawTap is a tap that is open and stays without a descriptor.
func rawTap(b *testing.B, kept record) work {
	route := newKernel(b, unix.NETLINK_ROUTE)
	set := finishLink(b, index(b, "vn0"), func(ae *netlink.AttributeEncoder) {
		ae.Bytes(unix.IFLA_ADDRESS, rawMAC)
		ae.Uint32(unix.IFLA_MTU, 1500)
	})
	remove := deleteLink(b, rawLink)
	fd := -1
	return work{
		func() (err error) {
			if err := kept.write(); err != nil {
				return err
			}
			if fd, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
				return err
			}
			if err := setTap(fd, unix.IFF_TUN_EXCL); err != nil {
				return err
			}
			if err := writeFile(rawSilent, "1"); err != nil {
				return err
			}
			if err := route.do(set); err != nil {
				return err
			}
			return unix.IoctlSetInt(fd, unix.TUNSETPERSIST, 1)
		},
		func() error {
			unix.Close(fd)
			if err := route.do(remove); err != nil {
				return err
			}
			return kept.remove()
		},
	}
}

// setTap makes fd a queue of the device.
func setTap(fd int, flags uint16) error {
	request, err := unix.NewIfreq(rawLink)
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR | flags)
	return unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
}

// finishLink switches the device on, with a mark, without IPv6, and with a master unless that is 0.
func finishLink(b *testing.B, master int, more func(*netlink.AttributeEncoder)) []byte {
	return linkMessage(b, unix.RTM_SETLINK, 0, 0, true, func(ae *netlink.AttributeEncoder) {
		ae.String(unix.IFLA_IFNAME, rawLink)
		ae.String(unix.IFLA_IFALIAS, "virtnet:01234567-0123-0123-0123-0123456789ab")
		if master != 0 {
			ae.Uint32(unix.IFLA_MASTER, uint32(master))
		}
		ae.Nested(unix.IFLA_AF_SPEC, func(ae *netlink.AttributeEncoder) error {
			ae.Nested(unix.AF_INET6, func(ae *netlink.AttributeEncoder) error {
				const none = 1 // IN6_ADDR_GEN_MODE_NONE
				ae.Uint8(unix.IFLA_INET6_ADDR_GEN_MODE, none)
				return nil
			})
			return nil
		})
		if more != nil {
			more(ae)
		}
	})
}

// rawVeth is a pair of devices, of which one is in a container.
func rawVeth(b *testing.B, kept record) work {
	route := newKernel(b, unix.NETLINK_ROUTE)
	path := newContainer(b)
	const peer = 1 // VETH_INFO_PEER
	add := linkMessage(b, unix.RTM_NEWLINK, netlink.Create|netlink.Excl, 0, false, func(ae *netlink.AttributeEncoder) {
		ae.String(unix.IFLA_IFNAME, rawLink)
		ae.Bytes(unix.IFLA_ADDRESS, append([]byte{0xfe}, rawMAC[1:]...))
		ae.Uint32(unix.IFLA_MTU, 1500)
		ae.Nested(unix.IFLA_LINKINFO, func(ae *netlink.AttributeEncoder) error {
			ae.String(unix.IFLA_INFO_KIND, "veth")
			ae.Nested(unix.IFLA_INFO_DATA, func(ae *netlink.AttributeEncoder) error {
				inner := netlink.NewAttributeEncoder()
				inner.Uint32(unix.IFLA_NET_NS_FD, 0) // the first, so that its place is known
				inner.String(unix.IFLA_IFNAME, "eth0")
				inner.Bytes(unix.IFLA_ADDRESS, rawMAC)
				inner.Uint32(unix.IFLA_MTU, 1500)
				attributes, err := inner.Encode()
				ae.Bytes(peer|unix.NLA_F_NESTED, append(make([]byte, unix.SizeofIfInfomsg), attributes...))
				return err
			})
			return nil
		})
	})
	at := placeOf(b, add, unix.IFLA_NET_NS_FD)
	set, remove := finishLink(b, index(b, "vn0"), nil), deleteLink(b, rawLink)
	return work{
		func() error {
			if err := kept.write(); err != nil {
				return err
			}
			container, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				return err
			}
			binary.NativeEndian.PutUint32(add[at:], uint32(container))
			err = route.do(add)
			unix.Close(container)
			if err != nil {
				return err
			}
			if err := writeFile(rawSilent, "1"); err != nil {
				return err
			}
			return route.do(set)
		},
		func() error {
			if err := route.do(remove); err != nil {
				return err
			}
			return kept.remove()
		},
	}
}

// placeOf finds where the value of a zero attribute of four bytes is in a message.
func placeOf(b *testing.B, message []byte, kind uint16) int {
	b.Helper()
	header := binary.NativeEndian.AppendUint16(binary.NativeEndian.AppendUint16(nil, 8), kind)
	at := bytes.Index(message, append(header, 0, 0, 0, 0))
	require.Positive(b, at)
	return at + len(header)
}

// rawMacvtap is a device on the card, and its character device where the kernel itself puts it.
func rawMacvtap(b *testing.B, kept record) work {
	route := newKernel(b, unix.NETLINK_ROUTE)
	control, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(b, err)
	b.Cleanup(func() { unix.Close(control) })
	add := linkMessage(b, unix.RTM_NEWLINK, netlink.Create|netlink.Excl, 0, false, func(ae *netlink.AttributeEncoder) {
		ae.String(unix.IFLA_IFNAME, rawLink)
		ae.Bytes(unix.IFLA_ADDRESS, rawMAC)
		ae.Uint32(unix.IFLA_LINK, uint32(index(b, "card")))
		ae.Nested(unix.IFLA_LINKINFO, func(ae *netlink.AttributeEncoder) error {
			ae.String(unix.IFLA_INFO_KIND, "macvtap")
			ae.Nested(unix.IFLA_INFO_DATA, func(ae *netlink.AttributeEncoder) error {
				const bridge = 4 // MACVLAN_MODE_BRIDGE
				ae.Uint32(unix.IFLA_MACVLAN_MODE, bridge)
				return nil
			})
			return nil
		})
	})
	set, remove := finishLink(b, 0, nil), deleteLink(b, rawLink)
	fd := -1
	return work{
		func() error {
			if err := kept.write(); err != nil {
				return err
			}
			if err := route.do(add); err != nil {
				return err
			}
			if err := writeFile(rawSilent, "1"); err != nil {
				return err
			}
			if err := route.do(set); err != nil {
				return err
			}
			at, err := indexOf(control, rawLink)
			if err != nil {
				return err
			}
			if fd, err = unix.Open(fmt.Sprintf("/dev/tap%d", at), unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
				return err
			}
			return setTap(fd, 0)
		},
		func() error {
			unix.Close(fd)
			if err := route.do(remove); err != nil {
				return err
			}
			return kept.remove()
		},
	}
}
