// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/mdlayher/netlink"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
)

// portCounts is how many ports there are, with the one that is measured.
var portCounts = []int{1, 100, 1000}

// A kind is a kind of port: how a guest asks for it, and the least that makes it.
type kind struct {
	name  string
	iface string // a document with a place for the name of the device
	floor func(b *testing.B) work
}

var kinds = []kind{
	{"tap", `<interface type='network'><source network='net0'/><target dev='%s'/><model type='virtio'/></interface>`, rawTap},
	{"veth", `<interface type='network'><source network='net0'/><target dev='%s'/><guest dev='e%[1]s'/></interface>`, rawVeth},
	{"macvtap", `<interface type='direct'><source dev='card' mode='bridge'/><target dev='%s'/><model type='virtio'/></interface>`, rawMacvtap},
}

// BenchmarkAttach attaches a guest, with the record that it is there, until the descriptor of its device is open.
func BenchmarkAttach(b *testing.B) { benchmarkPort(b, doing) }

// BenchmarkDetach takes a guest's device away.
func BenchmarkDetach(b *testing.B) { benchmarkPort(b, undoing) }

func benchmarkPort(b *testing.B, measured part) {
	for _, k := range kinds {
		for _, count := range portCounts {
			b.Run(fmt.Sprintf("%s/ports=%d", k.name, count), func(b *testing.B) {
				d := newBed(b)
				d.start(b, natNetwork(b, 0, false))
				d.addCard(b)
				all := newGuests(b, d, k)
				all.add(count - 1)
				compare(b, measured, k.floor(b), all.own())
			})
		}
	}
}

// addCard makes a network card for macvtap devices, with a cable to nowhere.
func (d *bed) addCard(b *testing.B) {
	b.Helper()
	run(b, "ip", "link", "add", "card", "type", "veth", "peer", "name", "cable")
	b.Cleanup(func() { run(b, "ip", "link", "del", "card") })
	run(b, "ip", "link", "set", "card", "up")
	run(b, "ip", "link", "set", "cable", "up")
}

// Guests are attached by the library.
type guests struct {
	b         *testing.B
	nets      *network.Manager
	kind      kind
	container string
	made      int
}

func newGuests(b *testing.B, d *bed, k kind) *guests {
	return &guests{b: b, nets: d.nets, kind: k, container: newContainer(b)}
}

// A guest has a port, and the open device if it is one that a monitor opens.
type guest struct {
	port  *domainiface.Port
	files []*os.File
}

func (g *guests) attach() (guest, error) {
	g.made++
	doc, err := domainiface.Parse(strings.NewReader(fmt.Sprintf(g.kind.iface, fmt.Sprintf("p%d", g.made))))
	if err != nil {
		return guest{}, err
	}
	who := domainiface.Guest{Name: "guest"}
	if g.kind.name == "veth" {
		who.Namespace = g.container
	}
	p, err := domainiface.Attach(g.b.Context(), g.nets, who, doc)
	if err != nil || g.kind.name == "veth" {
		return guest{port: p}, err
	}
	files, err := p.Open(g.b.Context(), 1)
	return guest{p, files}, err
}

func (g guest) detach(ctx context.Context) error {
	var errs []error
	for _, f := range g.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(append(errs, g.port.Detach(ctx))...)
}

// add attaches guests that are there besides the one that is measured, until the benchmark ends.
func (g *guests) add(count int) {
	g.b.Helper()
	var all []guest
	g.b.Cleanup(func() {
		for _, one := range all {
			require.NoError(g.b, one.detach(context.Background()))
		}
	})
	for range count {
		one, err := g.attach()
		require.NoError(g.b, err)
		all = append(all, one)
	}
}

// own is the library's way to attach and detach a guest.
func (g *guests) own() work {
	var one guest
	return work{
		func() (err error) { one, err = g.attach(); return err },
		func() error { return one.detach(g.b.Context()) },
	}
}

// rawTap is a tap that stays without a descriptor, and one that is open.
func rawTap(b *testing.B) work {
	route := newKernel(b, unix.NETLINK_ROUTE)
	set := linkMessage(b, unix.RTM_SETLINK, 0, 0, true, func(ae *netlink.AttributeEncoder) {
		ae.String(unix.IFLA_IFNAME, "raw0")
		ae.Bytes(unix.IFLA_ADDRESS, rawMAC)
		ae.String(unix.IFLA_IFALIAS, "guest")
		ae.Uint32(unix.IFLA_MASTER, uint32(index(b, "vn0")))
	})
	remove := deleteLink(b, "raw0")
	fd := -1
	return work{
		func() (err error) {
			if fd, err = openTap("raw0", unix.IFF_TAP|unix.IFF_NO_PI|unix.IFF_VNET_HDR|unix.IFF_TUN_EXCL); err != nil {
				return err
			}
			if err := route.do(set); err != nil {
				return err
			}
			return unix.IoctlSetInt(fd, unix.TUNSETPERSIST, 1)
		},
		func() error {
			unix.Close(fd)
			return route.do(remove)
		},
	}
}

func openTap(name string, flags uint16) (int, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	request, err := unix.NewIfreq(name)
	if err != nil {
		return -1, err
	}
	request.SetUint16(flags)
	return fd, unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
}

var rawMAC = []byte{0x52, 0x54, 0, 1, 2, 3}

// rawVeth is a pair of devices, of which one is in a container.
func rawVeth(b *testing.B) work {
	route := newKernel(b, unix.NETLINK_ROUTE)
	container, err := os.Open(newContainer(b))
	require.NoError(b, err)
	b.Cleanup(func() { container.Close() })
	add := linkMessage(b, unix.RTM_NEWLINK, netlink.Create|netlink.Excl, 0, true, func(ae *netlink.AttributeEncoder) {
		ae.String(unix.IFLA_IFNAME, "raw0")
		ae.Uint32(unix.IFLA_MASTER, uint32(index(b, "vn0")))
		ae.Nested(unix.IFLA_LINKINFO, func(ae *netlink.AttributeEncoder) error {
			ae.String(unix.IFLA_INFO_KIND, "veth")
			ae.Nested(unix.IFLA_INFO_DATA, func(ae *netlink.AttributeEncoder) error {
				const peer = 1 // VETH_INFO_PEER
				inner := netlink.NewAttributeEncoder()
				inner.String(unix.IFLA_IFNAME, "eth0")
				inner.Bytes(unix.IFLA_ADDRESS, rawMAC)
				inner.Uint32(unix.IFLA_NET_NS_FD, uint32(container.Fd()))
				attributes, err := inner.Encode()
				ae.Bytes(peer|unix.NLA_F_NESTED, append(make([]byte, unix.SizeofIfInfomsg), attributes...))
				return err
			})
			return nil
		})
	})
	remove := deleteLink(b, "raw0")
	return work{func() error { return route.do(add) }, func() error { return route.do(remove) }}
}

// rawMacvtap is a device on the card, and its character device where the kernel itself puts it.
func rawMacvtap(b *testing.B) work {
	route := newKernel(b, unix.NETLINK_ROUTE)
	control, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(b, err)
	b.Cleanup(func() { unix.Close(control) })
	add := linkMessage(b, unix.RTM_NEWLINK, netlink.Create|netlink.Excl, 0, true, func(ae *netlink.AttributeEncoder) {
		ae.String(unix.IFLA_IFNAME, "raw0")
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
	remove := deleteLink(b, "raw0")
	fd := -1
	return work{
		func() error {
			if err := route.do(add); err != nil {
				return err
			}
			at, err := indexOf(control, "raw0")
			if err != nil {
				return err
			}
			fd, err = unix.Open(fmt.Sprintf("/dev/tap%d", at), unix.O_RDWR|unix.O_CLOEXEC, 0)
			return err
		},
		func() error {
			unix.Close(fd)
			return route.do(remove)
		},
	}
}

func index(b *testing.B, name string) int {
	b.Helper()
	link, err := net.InterfaceByName(name)
	require.NoError(b, err)
	return link.Index
}

func run(b *testing.B, name string, args ...string) {
	b.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	require.NoError(b, err, "%s %v: %s", name, args, out)
}

// newContainer is a network namespace in which the kernel does nothing by itself: a thousand guests would ask for addresses.
func newContainer(b *testing.B) string {
	b.Helper()
	ns := testenv.New(b)
	ns.SetSysctl(b, "net/ipv6/conf/default/disable_ipv6", "1")
	return ns.Path()
}
