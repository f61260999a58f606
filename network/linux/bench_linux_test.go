// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
	"github.com/mdlayher/netlink"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// BenchmarkAttach attaches a tap to a bridge and switches it on, in turn by the backend and by the fewest system calls
// that do the same. Their medians, and the ratio, are what it reports; its time per operation means nothing, for it
// contains the removals.
//
// "inside" is a backend whose process is in the namespace, as programs on a host are; "entering" one that works in
// another namespace than that of its process.
func BenchmarkAttach(b *testing.B) {
	testenv.NeedRoot(b)
	for _, ports := range []int{1, 100} {
		for _, entering := range []bool{false, true} {
			mode := "inside"
			if entering {
				mode = "entering"
			}
			b.Run(fmt.Sprintf("ports=%d/%s", ports, mode), func(b *testing.B) { benchmarkAttach(b, ports, entering) })
		}
	}
}

func benchmarkAttach(b *testing.B, ports int, entering bool) {
	ns := testenv.New(b)
	ns.Run(b, func() {
		config := linux.Config{RunDir: b.TempDir()}
		if entering {
			config.Namespace = ns.Path()
		}
		backend, err := linux.Open(config)
		require.NoError(b, err)
		defer backend.Close()
		do(b, backend, host.AddBridge{Link: "br0", MAC: bridgeMAC}, host.SetUp{Link: "br0"})
		for i := range ports - 1 {
			attachByBackend(b, backend, fmt.Sprintf("port%d", i), host.MAC{2, 0, 0, 1, byte(i >> 8), byte(i)})
		}
		raw := newRawAttacher(b, "br0")
		defer raw.close()
		var fast, ours []time.Duration
		for range b.N {
			start := time.Now()
			raw.attach(b, "raw0", tapMAC)
			fast = append(fast, time.Since(start))
			do(b, backend, host.DelTap{Link: "raw0", MAC: tapMAC})
			start = time.Now()
			attachByBackend(b, backend, "tap0", tapMAC)
			ours = append(ours, time.Since(start))
			do(b, backend, host.DelTap{Link: "tap0", MAC: tapMAC})
		}
		slices.Sort(fast)
		slices.Sort(ours)
		floor, own := fast[len(fast)/2], ours[len(ours)/2]
		b.ReportMetric(float64(floor.Microseconds()), "µs-floor")
		b.ReportMetric(float64(own.Microseconds()), "µs-own")
		b.ReportMetric(float64(own)/float64(floor), "ratio")
	})
}

func attachByBackend(b *testing.B, backend *linux.Backend, name string, mac host.MAC) {
	do(b, backend,
		host.AddTap{Link: name, MAC: mac, Owner: "guest"}, host.Plug{Link: name, Bridge: "br0"}, host.SetUp{Link: name},
	)
}

// A rawAttacher does in one message what the backend does in several: it may, for it undoes nothing and checks nothing.
type rawAttacher struct {
	sock   int
	bridge uint32
	buffer []byte
}

func newRawAttacher(b *testing.B, bridge string) *rawAttacher {
	sock, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	require.NoError(b, err)
	request, err := unix.NewIfreq(bridge)
	require.NoError(b, err)
	inet, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(b, err)
	defer unix.Close(inet)
	require.NoError(b, unix.IoctlIfreq(inet, unix.SIOCGIFINDEX, request))
	return &rawAttacher{sock: sock, bridge: request.Uint32(), buffer: make([]byte, 4096)}
}

func (r *rawAttacher) close() { unix.Close(r.sock) }

func (r *rawAttacher) attach(b *testing.B, name string, mac host.MAC) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	require.NoError(b, err)
	defer unix.Close(fd)
	request, err := unix.NewIfreq(name)
	require.NoError(b, err)
	request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_TUN_EXCL)
	require.NoError(b, unix.IoctlIfreq(fd, unix.TUNSETIFF, request))
	ae := netlink.NewAttributeEncoder()
	ae.String(unix.IFLA_IFNAME, name)
	ae.Bytes(unix.IFLA_ADDRESS, mac[:])
	ae.String(unix.IFLA_IFALIAS, "guest")
	ae.Uint32(unix.IFLA_MASTER, r.bridge)
	attributes, err := ae.Encode()
	require.NoError(b, err)
	m := netlink.Message{
		Header: netlink.Header{Type: unix.RTM_SETLINK, Flags: netlink.Request | netlink.Acknowledge, Sequence: 1},
		Data:   append(make([]byte, unix.SizeofIfInfomsg), attributes...),
	}
	binary.NativeEndian.PutUint32(m.Data[8:], unix.IFF_UP)
	binary.NativeEndian.PutUint32(m.Data[12:], unix.IFF_UP)
	m.Header.Length = uint32(unix.NLMSG_HDRLEN + len(m.Data))
	data, err := m.MarshalBinary()
	require.NoError(b, err)
	require.NoError(b, unix.Sendto(r.sock, data, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
	n, _, err := unix.Recvfrom(r.sock, r.buffer, 0)
	require.NoError(b, err)
	require.GreaterOrEqual(b, n, unix.NLMSG_HDRLEN+4)
	require.Zero(b, binary.NativeEndian.Uint32(r.buffer[unix.NLMSG_HDRLEN:]))
	require.NoError(b, unix.IoctlSetInt(fd, unix.TUNSETPERSIST, 1))
}
