// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
)

// TestPoliceHolds has a guest send as much as it can where what it sends cannot wait, and counts what arrives.
func TestPoliceHolds(t *testing.T) {
	for name, c := range map[string]struct {
		means host.Means
		burst uint64
		bpf   bool
	}{
		"police": {host.Police, 64, false}, "police by bpf": {host.Police, 64, true}, "nft": {host.Throttle, 300, false},
	} {
		t.Run(name, func(t *testing.T) { policeHolds(t, c.means, c.burst, c.bpf) })
	}
}

// policeHolds wants the rate to be kept, and after a pause the burst, in kibibytes, to pass at once.
func policeHolds(t *testing.T, means host.Means, burst uint64, bpf bool) {
	t.Helper()
	s := newShaper(t, 1)
	f, err := s.backend.Facts(t.Context(), host.Scope{Shaping: true})
	require.NoError(t, err)
	if !slices.Contains(f.Shaping.Means, means) {
		testenv.Lack(t, "the kernel has no %s for what comes in", means)
	}
	s.ns.Output(t, "ip", "addr", "add", "192.0.2.1/24", "dev", "br0")
	s.guests[0].Output(t, "ip", "addr", "add", "192.0.2.2/24", "dev", "eth0")
	police := host.SetShape{Link: "veth0", Shape: host.Shape{Link: "veth0", Ingress: host.NewLimit(250, 0, burst), Means: means, BPF: bpf}}

	const header = 20 + 8 // of IP and UDP, which count
	var arrived atomic.Int64
	var to net.PacketConn
	s.ns.Run(t, func() { to, err = net.ListenPacket("udp4", "192.0.2.1:9") })
	require.NoError(t, err)
	t.Cleanup(func() { to.Close() })
	raw, err := to.(*net.UDPConn).SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20) }))
	require.NoError(t, err)
	go func() {
		data := make([]byte, 2048)
		for {
			n, _, err := to.ReadFrom(data)
			if err != nil {
				return
			}
			arrived.Add(int64(n + header))
		}
	}()
	var from net.Conn
	s.guests[0].Run(t, func() { from, err = net.Dial("udp4", "192.0.2.1:9") })
	require.NoError(t, err)
	t.Cleanup(func() { from.Close() })
	send := func(d time.Duration) {
		data := make([]byte, 1000)
		for end := lasting(d); !end(); {
			_, _ = from.Write(data) // nobody may have answered yet who has the address
		}
	}
	for arrived.Load() == 0 { // until the addresses are known
		send(10 * time.Millisecond)
	}
	tries(t, func() error {
		s.do(t, police)
		before, start := arrived.Load(), time.Now()
		send(time.Second / 2)
		passed, want := float64(arrived.Load()-before)/1000, float64(burst)*1.024+250*time.Since(start).Seconds()
		s.do(t, police.Inverse())
		return near("the burst and half a second", want, passed, 0.06)
	})
	s.do(t, police)
	tries(t, func() error {
		before, start := arrived.Load(), time.Now()
		send(2 * time.Second)
		return near("what arrives", 250, float64(arrived.Load()-before)/time.Since(start).Seconds()/1000, 0.05)
	})
	s.do(t, police.Inverse())
	before := arrived.Load()
	send(time.Second)
	require.Greater(t, arrived.Load()-before, int64(500_000), "without a limit")
}

// A withMeans is a backend that says that it can shape what comes in by these means only, and has no u32.
type withMeans struct {
	*linux.Backend
	means host.Means
	noU32 bool
}

func (b withMeans) Facts(ctx context.Context, s host.Scope) (*host.Facts, error) {
	f, err := b.Backend.Facts(ctx, s)
	if err == nil && s.Shaping {
		f.Shaping.Means, f.Shaping.NoU32 = []host.Means{b.means}, b.noU32
	}
	return f, err
}

// TestEachMeans runs a network whose guests are limited in what they send where the kernel has only one of the means: the plan
// says which, what is broken behind the library's back is found and mended, and nothing is left.
func TestEachMeans(t *testing.T) {
	testenv.NeedProgram(t, "nft")
	testenv.NeedProgram(t, "tc")
	filter := []string{"tc", "filter", "del", "dev", "br1", "ingress"}
	for name, c := range map[string]struct {
		means  host.Means
		noU32  bool
		breaks []string
	}{
		"ifb":           {host.Redirect, false, filter},
		"ifb by bpf":    {host.Redirect, true, filter},
		"police":        {host.Police, false, filter},
		"police by bpf": {host.Police, true, filter},
		"nft":           {host.Throttle, true, []string{"nft", "flush", "chain", "netdev", "virtnet", "in-br1"}},
	} {
		t.Run(name, func(t *testing.T) {
			means := c.means
			b, ns := open(t)
			f, err := b.Facts(t.Context(), host.Scope{Shaping: true})
			require.NoError(t, err)
			if !slices.Contains(f.Shaping.Means, means) {
				testenv.Lack(t, "the kernel has no %s for what comes in", means)
			}
			before := ns.Snapshot(t)
			nets, err := network.Open(t.Context(), withMeans{b, means, c.noU32}, network.Memory())
			require.NoError(t, err)
			n, err := network.Parse(strings.NewReader(`<network><name>net1</name><bridge name='br1' stp='off'/><bandwidth><outbound average='128'/></bandwidth><ip address='10.9.1.1' prefix='24'/></network>`))
			require.NoError(t, err)
			require.NoError(t, nets.Define(t.Context(), n))
			plan, err := nets.Plan(t.Context(), "net1")
			require.NoError(t, err)
			require.Contains(t, plan.String(), " by "+string(means))
			require.Equal(t, strings.HasSuffix(name, "by bpf"), strings.Contains(plan.String(), " match bpf"))
			require.NoError(t, nets.Start(t.Context(), "net1"))
			whole := ns.Snapshot(t)

			ns.Output(t, c.breaks[0], c.breaks[1:]...)
			drift, err := nets.Check(t.Context())
			require.NoError(t, err)
			require.Len(t, drift, 1)
			require.Len(t, drift[0].Missing, 1)
			require.IsType(t, host.SetShape{}, drift[0].Missing[0].Op)
			_, err = nets.Repair(t.Context(), network.RepairRequest{})
			require.NoError(t, err)
			ns.Unchanged(t, whole, "repaired")
			require.NoError(t, nets.Stop(t.Context(), "net1"))
			ns.Unchanged(t, before, "stopped")
		})
	}
}
