// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"bytes"
	"io/fs"
	"os"
	"testing"
	"time"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestAddTap(t *testing.T) {
	testenv.NeedRoot(t)
	t.Parallel()
	id := func(n uint32) *uint32 { return &n }
	for _, c := range []struct {
		name     string
		tap      host.AddTap
		want     []string
		wantLess []string
	}{
		{
			"plain", host.AddTap{},
			[]string{"mtu 1500", "qlen 1000", "tun type tap pi off vnet_hdr off persist on"},
			[]string{"multi_queue", "user", "group 0 ", "alias"},
		},
		{"headers", host.AddTap{VnetHdr: true}, []string{"vnet_hdr on"}, []string{"multi_queue"}},
		{"queues", host.AddTap{Queues: 4}, []string{"multi_queue numqueues 0", "vnet_hdr off"}, nil},
		{"one queue", host.AddTap{Queues: 1}, nil, []string{"multi_queue"}},
		{"users", host.AddTap{User: id(4711), Group: id(0)}, []string{"user 4711", "group root"}, nil},
		{
			"everything", host.AddTap{MTU: 9000, Owner: "guest web", Queues: 2, VnetHdr: true, User: id(0)},
			[]string{"mtu 9000", "alias guest web", "multi_queue numqueues 0", "vnet_hdr on", "user root", "persist on"}, nil,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b, ns := open(t)
			before := ns.Snapshot(t)
			c.tap.Link, c.tap.MAC = "tap0", tapMAC
			do(t, b, c.tap)
			got := ns.Output(t, "ip", "-d", "link", "show", "tap0")
			for _, want := range append(c.want, "state DOWN", "addrgenmode none", tapMAC.String()) {
				require.Contains(t, got, want)
			}
			for _, unwanted := range c.wantLess {
				require.NotContains(t, got, unwanted)
			}
			refuse(t, b, ns, fs.ErrExist, c.tap)
			other := c.tap
			other.MAC[5]++
			refuse(t, b, ns, fs.ErrNotExist, other.Inverse())
			do(t, b, c.tap.Inverse())
			ns.Unchanged(t, before, "in the end")
		})
	}
}

func TestTapIsNoTun(t *testing.T) {
	t.Parallel()
	b, ns := open(t)
	ns.Output(t, "ip", "tuntap", "add", "dev", "tap0", "mode", "tun")
	tap := host.AddTap{Link: "tap0", MAC: tapMAC}
	refuse(t, b, ns, fs.ErrExist, tap)
	refuse(t, b, ns, fs.ErrNotExist, tap.Inverse())
	_, err := b.OpenTap(t.Context(), "tap0", 1)
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// openTap opens queues that close with the test.
func openTap(t *testing.T, b *linux.Backend, link string, queues int) []*os.File {
	t.Helper()
	files, err := b.OpenTap(t.Context(), link, queues)
	require.NoError(t, err)
	t.Cleanup(func() {
		for _, file := range files {
			file.Close()
		}
	})
	return files
}

// frames passes on what comes out of a queue until it is closed. The queue blocks, so it is read aside.
func frames(file *os.File) <-chan []byte {
	got := make(chan []byte, 64)
	go func() {
		defer close(got)
		for {
			data := make([]byte, 2048)
			n, err := file.Read(data)
			if err != nil {
				return
			}
			got <- data[:n]
		}
	}()
	return got
}

// arrives writes a frame until one that ends like it comes out: a bridge does not pass frames at once when a port is up.
func arrives(t *testing.T, in *os.File, frame []byte, out ...<-chan []byte) []byte {
	t.Helper()
	var found []byte
	payload := frame[len(frame)-20:]
	testenv.WaitFor(t, 10*time.Second, "the frame on the other side", func() bool {
		_, err := in.Write(frame)
		require.NoError(t, err)
		for {
			got, ok := received(out)
			if !ok {
				return false
			}
			if bytes.HasSuffix(got, payload) {
				found = got
				return true
			}
		}
	})
	return found
}

// received is the next frame that is there already, of any queue.
func received(queues []<-chan []byte) ([]byte, bool) {
	for _, queue := range queues {
		select {
		case got := <-queue:
			return got, true
		default:
		}
	}
	return nil, false
}

// ethernet is a broadcast frame of an experimental type.
func ethernet(source host.MAC, payload string) []byte {
	frame := bytes.Repeat([]byte{0xff}, 6)
	frame = append(frame, source[:]...)
	frame = append(frame, 0x88, 0xb5)
	return append(append(frame, make([]byte, 40)...), payload...)
}

func TestOpenTapPassesFrames(t *testing.T) {
	t.Parallel()
	b, _ := open(t)
	other := tapMAC
	other[5]++
	do(t, b,
		host.AddBridge{Link: "br0", MAC: bridgeMAC}, host.SetUp{Link: "br0"},
		host.AddTap{Link: "tap0", MAC: tapMAC, Queues: 2, VnetHdr: true}, host.Plug{Link: "tap0", Bridge: "br0"}, host.SetUp{Link: "tap0"},
		host.AddTap{Link: "tap1", MAC: other}, host.Plug{Link: "tap1", Bridge: "br0"}, host.SetUp{Link: "tap1"},
	)
	queues := openTap(t, b, "tap0", 2)
	plain := openTap(t, b, "tap1", 1)[0]
	for _, file := range append(queues, plain) {
		flags, err := unix.FcntlInt(file.Fd(), unix.F_GETFL, 0)
		require.NoError(t, err)
		require.Zero(t, flags&unix.O_NONBLOCK, "blocking")
		flags, err = unix.FcntlInt(file.Fd(), unix.F_GETFD, 0)
		require.NoError(t, err)
		require.NotZero(t, flags&unix.FD_CLOEXEC, "close on exec")
	}
	out := frames(plain)
	header := make([]byte, 10)
	for i, text := range []string{"by the first queue..", "by the second queue."} {
		frame := ethernet(host.MAC{0x52, 0x54, 0, 1, 0, byte(i)}, text)
		got := arrives(t, queues[i], append(header, frame...), out)
		require.Equal(t, frame, got, "without the header")
	}
	frame := ethernet(host.MAC{0x52, 0x54, 0, 1, 0, 9}, "the other way ......")
	got := arrives(t, plain, frame, frames(queues[0]), frames(queues[1]))
	require.Equal(t, append(header, frame...), got, "with the header")
}

func TestOpenTapRefuses(t *testing.T) {
	b, ns := open(t) // not parallel: it counts descriptors
	do(t, b, host.AddTap{Link: "tap0", MAC: tapMAC}, host.AddTap{Link: "tap1", MAC: bridgeMAC, Queues: 2})
	before := ns.Snapshot(t)
	first := openTap(t, b, "tap0", 1)
	descriptors := countDescriptors(t)
	for _, c := range []struct {
		link   string
		queues int
		want   error
	}{
		{"tap9", 1, fs.ErrNotExist}, {"lo", 1, fs.ErrNotExist}, {"", 1, fs.ErrInvalid}, {"tap%d", 1, fs.ErrInvalid},
		{"tap0", 0, fs.ErrInvalid}, {"tap0", 2, fs.ErrInvalid}, {"tap1", 257, fs.ErrInvalid}, {"tap0", 1, unix.EBUSY},
	} {
		files, err := b.OpenTap(t.Context(), c.link, c.queues)
		require.ErrorIs(t, err, c.want, "%s %d", c.link, c.queues)
		require.Nil(t, files)
	}
	held := openTap(t, b, "tap1", 255)
	_, err := b.OpenTap(t.Context(), "tap1", 2)
	require.ErrorIs(t, err, fs.ErrInvalid, "the second of them is one too many")
	for _, file := range held {
		require.NoError(t, file.Close())
	}
	require.Equal(t, descriptors, countDescriptors(t))
	require.NoError(t, first[0].Close())
	ns.Unchanged(t, before, "in the end")
	require.NotContains(t, ns.Output(t, "ip", "link"), "tap9")
}

// A guest that is still there when its tap is removed sees its descriptor fail.
func TestDelTapUnderAGuest(t *testing.T) {
	t.Parallel()
	b, _ := open(t)
	tap := host.AddTap{Link: "tap0", MAC: tapMAC}
	do(t, b, tap, host.SetUp{Link: "tap0"})
	file := openTap(t, b, "tap0", 1)[0]
	do(t, b, tap.Inverse())
	_, err := file.Write(ethernet(tapMAC, "too late"))
	require.ErrorIs(t, err, unix.EBADFD)
}

func countDescriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(entries)
}
