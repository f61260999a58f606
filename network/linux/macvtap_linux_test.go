// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"bytes"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
)

var mv0 = host.AddMacvtap{Link: "mv0", Lower: "eth0", Mode: "bridge", MAC: host.MAC{0x52, 0x54, 0, 0, 0, 5}, Owner: "guest 5"}

// withCard gives a namespace a card that is connected to another namespace.
func withCard(t *testing.T) (*linux.Backend, *testenv.Namespace, *testenv.Namespace) {
	b, ns := open(t)
	outside := testenv.New(t)
	testenv.Connect(t, ns, outside, "eth0", "eth0")
	// The address that it makes up appears at any moment.
	ns.SetSysctl(t, "net/ipv6/conf/eth0/disable_ipv6", "1")
	return b, ns, outside
}

// macOf is the address of a link.
func macOf(t *testing.T, b *linux.Backend, link string) host.MAC {
	t.Helper()
	f, err := b.Facts(t.Context(), host.Scope{Links: []string{link}})
	require.NoError(t, err)
	require.NotNil(t, f.Link(link), link)
	return f.Link(link).MAC
}

// alone is mv0 in mode passthru.
func alone(t *testing.T, b *linux.Backend) host.AddMacvtap {
	o := mv0
	o.Mode, o.Was = host.Passthru, macOf(t, b, o.Lower)
	return o
}

func TestAddMacvtap(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"private", "vepa", "bridge", "passthru"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			b, ns, _ := withCard(t)
			before := ns.Snapshot(t)
			op := mv0
			op.Mode, op.MTU = mode, 1400
			if mode == host.Passthru {
				op.Was = macOf(t, b, "eth0")
			}
			do(t, b, op)
			got := ns.Output(t, "ip", "-d", "link", "show", "mv0")
			for _, want := range []string{
				"mv0@eth0", "mtu 1400", "state DOWN", "qlen 500", op.MAC.String(), "macvtap mode " + mode, "addrgenmode none", "alias guest 5",
			} {
				require.Contains(t, got, want)
			}
			refuse(t, b, ns, fs.ErrExist, op)
			do(t, b, op.Inverse())
			ns.Unchanged(t, before, "in the end")
		})
	}
}

// TestMacvtapRefusals wants the reasons that the kernel does not tell.
func TestMacvtapRefusals(t *testing.T) {
	t.Parallel()
	b, ns, _ := withCard(t)
	second := mv0
	second.Link, second.MAC = "mv1", host.MAC{0x52, 0x54, 0, 0, 0, 6}

	missing := mv0
	missing.Lower = "eth9"
	require.ErrorContains(t, refuse(t, b, ns, fs.ErrNotExist, missing), "eth9")

	do(t, b, host.AddBridge{Link: "br0", MAC: bridgeMAC}, host.AddTap{Link: "tap0", MAC: tapMAC}, host.Plug{Link: "tap0", Bridge: "br0"})
	port := mv0
	port.Lower = "tap0"
	err := refuse(t, b, ns, fs.ErrExist, port)
	require.ErrorIs(t, err, unix.EBUSY)
	require.ErrorContains(t, err, "tap0 is a port of br0")

	do(t, b, mv0)
	after := second
	after.Mode, after.Was = host.Passthru, macOf(t, b, "eth0")
	require.ErrorContains(t, refuse(t, b, ns, fs.ErrInvalid, after), "mv0 is on eth0 in mode bridge, and passthru does not share")
	do(t, b, mv0.Inverse(), alone(t, b))
	require.ErrorContains(t, refuse(t, b, ns, fs.ErrInvalid, second), "mv0 is on eth0 in mode passthru, and passthru does not share")

	do(t, b, alone(t, b).Inverse())
	large := mv0
	large.MTU = 9000
	require.ErrorContains(t, refuse(t, b, ns, fs.ErrInvalid, large), "mtu 9000 is above the 1500 of eth0")
}

// TestPassthruRestores lets a device in mode passthru go in all the ways it can, after which the card has its own address.
func TestPassthruRestores(t *testing.T) {
	t.Parallel()
	for name, remove := range map[string]func(t *testing.T, b *linux.Backend, ns *testenv.Namespace, op host.AddMacvtap){
		"by the operation": func(t *testing.T, b *linux.Backend, _ *testenv.Namespace, op host.AddMacvtap) { do(t, b, op.Inverse()) },
		"by somebody else, or by the kernel": func(t *testing.T, _ *linux.Backend, ns *testenv.Namespace, _ host.AddMacvtap) {
			ns.Output(t, "ip", "link", "del", "mv0")
		},
		"after the guest has taken another address": func(t *testing.T, b *linux.Backend, ns *testenv.Namespace, op host.AddMacvtap) {
			ns.Output(t, "ip", "link", "set", "mv0", "address", "52:54:00:00:00:77")
			do(t, b, op.Inverse())
		},
		"after somebody has given the card another address": func(t *testing.T, b *linux.Backend, ns *testenv.Namespace, op host.AddMacvtap) {
			ns.Output(t, "ip", "link", "set", "eth0", "address", "52:54:00:00:00:77")
			do(t, b, op.Inverse())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, ns, _ := withCard(t)
			before := ns.Snapshot(t)
			op := alone(t, b)
			do(t, b, op, host.SetUp{Link: "mv0"})
			require.Equal(t, op.MAC, macOf(t, b, "eth0"))
			remove(t, b, ns, op)
			ns.Unchanged(t, before, "in the end")
		})
	}
	t.Run("halfway", func(t *testing.T) {
		t.Parallel()
		b, ns, _ := withCard(t)
		before := ns.Snapshot(t)
		op := alone(t, b)
		ns.Output(t, "ip", "link", "add", "link", "eth0", "name", "mv0", "type", "macvtap", "mode", "passthru") // and then killed
		require.NotEqual(t, op.MAC, macOf(t, b, "mv0"))
		do(t, b, op.Inverse())
		ns.Unchanged(t, before, "in the end")
	})
}

// openMacvtap opens queues that close with the test.
func openMacvtap(t *testing.T, b *linux.Backend, made host.AddMacvtap, queues int) []*os.File {
	t.Helper()
	files, err := b.OpenMacvtap(t.Context(), made, queues)
	require.NoError(t, err)
	t.Cleanup(func() {
		for _, file := range files {
			file.Close()
		}
	})
	return files
}

// TestOpenMacvtapInNamespaces opens two devices with the same number in two namespaces, of which /dev would know but one.
func TestOpenMacvtapInNamespaces(t *testing.T) {
	t.Parallel()
	a, nsA, _ := withCard(t)
	b, nsB, _ := withCard(t)
	for _, ns := range []*testenv.Namespace{nsA, nsB} {
		ns.SetSysctl(t, "net/ipv6/conf/default/disable_ipv6", "1") // nobody else speaks
		ns.Output(t, "ip", "link", "add", "link", "eth0", "name", "mv0", "index", "7777", "address", mv0.MAC.String(), "type", "macvtap", "mode", "bridge")
		ns.Output(t, "ip", "link", "set", "eth0", "up")
		ns.Output(t, "ip", "link", "set", "mv0", "up")
	}
	made := mv0
	made.Owner = ""
	fileA, fileB := openMacvtap(t, a, made, 1)[0], openMacvtap(t, b, made, 1)[0]
	// A frame that the first guest sends is counted where it is, and not in the other namespace.
	before := transmitted(t, nsB)
	_, err := fileA.Write(ethernet(made.MAC, "from the first guest"))
	require.NoError(t, err)
	require.Equal(t, before, transmitted(t, nsB))
	_, err = fileB.Write(ethernet(made.MAC, "from the other guest"))
	require.NoError(t, err)
	require.NotEqual(t, before, transmitted(t, nsB))
}

// transmitted is what ip tells of the frames that the guest sent.
func transmitted(t *testing.T, ns *testenv.Namespace) string {
	t.Helper()
	_, sent, ok := strings.Cut(ns.Output(t, "ip", "-s", "link", "show", "mv0"), "TX:")
	require.True(t, ok)
	return sent
}

// TestOpenMacvtapPassesFrames sends frames by each queue, with virtio-net headers, to a guest without them.
func TestOpenMacvtapPassesFrames(t *testing.T) {
	t.Parallel()
	b, _, _ := withCard(t)
	many, plain := mv0, mv0
	many.Queues, many.VnetHdr = 4, true
	plain.Link, plain.MAC = "mv1", host.MAC{0x52, 0x54, 0, 0, 0, 6}
	do(t, b, host.Raise{Link: "eth0"}, many, plain, host.SetUp{Link: "mv0"}, host.SetUp{Link: "mv1"})
	queues, other := openMacvtap(t, b, many, 4), openMacvtap(t, b, plain, 1)[0]
	for _, file := range append(queues, other) {
		flags, err := unix.FcntlInt(file.Fd(), unix.F_GETFL, 0)
		require.NoError(t, err)
		require.Zero(t, flags&unix.O_NONBLOCK, "blocking")
		flags, err = unix.FcntlInt(file.Fd(), unix.F_GETFD, 0)
		require.NoError(t, err)
		require.NotZero(t, flags&unix.FD_CLOEXEC, "close on exec")
		request, err := unix.NewIfreq("any")
		require.NoError(t, err)
		require.NoError(t, unix.IoctlIfreq(int(file.Fd()), unix.TUNGETIFF, request))
		want := uint16(unix.IFF_TAP | unix.IFF_NO_PI)
		if file != other {
			want |= unix.IFF_VNET_HDR | unix.IFF_MULTI_QUEUE
		}
		require.Equal(t, want, request.Uint16())
	}
	out := frames(other)
	header := make([]byte, 10)
	for i, queue := range queues {
		frame := ethernet(many.MAC, "by queue number "+string(rune('0'+i))+"   ")
		require.Equal(t, frame, arrives(t, queue, append(header, frame...), out), "without the header")
	}
	var back []<-chan []byte
	for _, queue := range queues {
		back = append(back, frames(queue))
	}
	frame := ethernet(plain.MAC, "the other way ......")
	got := arrives(t, other, frame, back...)
	require.True(t, bytes.HasSuffix(got, frame) && len(got) == len(frame)+len(header), "with the header")
}

// TestMacvtapIsSilent waits until the kernel is done with a device that comes up, by a sign from a device that speaks: the
// host itself says nothing by that of a guest.
func TestMacvtapIsSilent(t *testing.T) {
	t.Parallel()
	b, ns, _ := withCard(t)
	do(t, b, host.Raise{Link: "eth0"}, mv0)
	ns.Output(t, "ip", "link", "add", "link", "eth0", "name", "loud", "type", "macvlan", "mode", "bridge")
	before := transmitted(t, ns)
	do(t, b, host.SetUp{Link: "mv0"})
	ns.Output(t, "ip", "link", "set", "loud", "up")
	testenv.WaitFor(t, 20*time.Second, "an address that is in use", func() bool {
		got := ns.Output(t, "ip", "-6", "addr", "show", "dev", "loud")
		return strings.Contains(got, "fe80::") && !strings.Contains(got, "tentative")
	})
	require.NotContains(t, ns.Output(t, "ip", "addr", "show", "dev", "mv0"), "inet6")
	require.Equal(t, before, transmitted(t, ns))
}

// TestDelMacvtapUnderAGuest shows why those who hold descriptors have to watch links: these say nothing.
func TestDelMacvtapUnderAGuest(t *testing.T) {
	t.Parallel()
	b, _, _ := withCard(t)
	do(t, b, host.Raise{Link: "eth0"}, mv0, host.SetUp{Link: "mv0"})
	file := openMacvtap(t, b, mv0, 1)[0]
	do(t, b, mv0.Inverse())
	_, err := file.Write(ethernet(mv0.MAC, "into the void"))
	require.NoError(t, err)
	_, err = b.OpenMacvtap(t.Context(), mv0, 1)
	require.ErrorIs(t, err, fs.ErrNotExist)
}
