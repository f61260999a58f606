// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/dhcpclient"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
	"github.com/go-virtnet/virtnet/network/serve"
)

// startDocument is network k, with two addresses for guests and a name, or without a server.
func startDocument(t testing.TB, k int, served bool) *network.Network {
	t.Helper()
	inside := `<dns enable='no'/>`
	dhcp := ""
	subnet := fmt.Sprintf("10.%d.%d", 100+k/256, k%256)
	if served {
		inside = fmt.Sprintf(`<dns><host ip='%s.1'><hostname>gate.example</hostname></host></dns>`, subnet)
		dhcp = fmt.Sprintf(`<dhcp><range start='%s.10' end='%s.11'/></dhcp>`, subnet, subnet)
	}
	def, err := network.Parse(strings.NewReader(fmt.Sprintf(
		`<network><name>net%d</name><bridge name='started%d' delay='0'/>%s<ip address='%s.1' prefix='24'>%s</ip></network>`, k, k, inside, subnet, dhcp)))
	require.NoError(t, err)
	return def
}

// A footprint is what a process takes of the machine.
type footprint struct{ memory, goroutines, descriptors int }

// ours is what this process takes when nothing is left to be collected.
func ours(t testing.TB) footprint {
	t.Helper()
	var m runtime.MemStats
	for range 3 { // stacks shrink by one part each time
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return footprint{int(m.HeapInuse + m.StackInuse), runtime.NumGoroutine(), len(entries)}
}

const (
	// mostIdle is how much memory a network may take that is served and has nothing to do, with everything that is known of it.
	mostIdle = 64 << 10
	// mostLeft is how much may be left when all have ended, however many there were: pages with a little in each, and what is
	// kept for the next ones.
	mostLeft = 4 << 20
)

// crowdServer serves network k of many.
func crowdServer(k int) host.Serve {
	op := serve4()
	op.Server.Name, op.Server.Link = fmt.Sprintf("net-%d", k), fmt.Sprintf("crowd%d", k)
	addr := netip.AddrFrom4([4]byte{10, byte(100 + k/256), byte(k), 1})
	op.Server.Subnets[0] = host.Subnet{
		Prefix: netip.PrefixFrom(addr, 24),
		Ranges: []host.Range{{Start: addr.Next(), End: addr.Next().Next()}},
	}
	op.Server.DNS.Hosts = []host.NameRecord{{Addr: addr, Names: []string{"gate.example"}}}
	return op
}

// TestCrowd serves hundreds of networks at once from this process, and each answers its guest. An idle one takes little, and
// nothing is left when they have ended. (So many programs would not start: a user has 128 instances of inotify, and each takes
// one.)
func TestCrowd(t *testing.T) {
	p := newPlace(t, inProcess)
	count := 500
	if testing.Short() {
		count = 50
	}
	guests := p.crowd(t, count)
	do(t, p.Backend, crowdServer(0), crowdServer(0).Inverse())
	before := ours(t)
	begin := time.Now()
	for k := range count {
		do(t, p.Backend, crowdServer(k))
	}
	started := time.Since(begin)
	idle := ours(t)
	each := (idle.memory - before.memory) / count
	t.Logf("each of %d takes %s to start, and then %d bytes, %.1f goroutines and %.1f descriptors",
		count, started/time.Duration(count), each, float64(idle.goroutines-before.goroutines)/float64(count), float64(idle.descriptors-before.descriptors)/float64(count))
	require.LessOrEqual(t, each, mostIdle)
	for k := range count {
		addr := crowdServer(k).Server.Subnets[0].Prefix.Addr()
		guests.Run(t, func() {
			got, err := dhcpclient.Lease(t.Context(), fmt.Sprintf("guest%d", k), dhcpclient.Options{Retransmit: 200 * time.Millisecond})
			require.NoError(t, err)
			require.Equal(t, addr, got.Server)
		})
		require.Equal(t, []string{addr.String()}, askAddr4(t, p.ns, addr.String(), "gate.example."))
	}
	served := ours(t)
	t.Logf("each takes %d bytes when it has served a guest", (served.memory-before.memory)/count)
	require.LessOrEqual(t, (served.memory-before.memory)/count, mostIdle)
	for k := range count {
		do(t, p.Backend, crowdServer(k).Inverse())
	}
	testenv.WaitFor(t, 20*time.Second, "as many goroutines and descriptors as before", func() bool {
		after := ours(t)
		return after.goroutines <= before.goroutines && after.descriptors <= before.descriptors
	})
	after := ours(t)
	t.Logf("%d bytes are left of all", after.memory-before.memory)
	require.Less(t, after.memory-before.memory, mostLeft)
	p.empty(t)
}

// crowd makes the bridges of these networks, and plugs a guest into each: the devices guest0, guest1 ... of one namespace.
func (p *place) crowd(t *testing.T, count int) *testenv.Namespace {
	t.Helper()
	guests := testenv.New(t)
	var here, there strings.Builder
	for k := range count {
		fmt.Fprintf(&here, "link add crowd%d up type bridge forward_delay 0\naddr add %s dev crowd%d\n", k, crowdServer(k).Server.Subnets[0].Prefix, k)
		fmt.Fprintf(&here, "link add port%d type veth peer name guest%d netns %s\nlink set port%d master crowd%d up\n", k, k, guests.Path(), k, k)
		fmt.Fprintf(&there, "link set guest%d up\n", k)
	}
	p.ns.Output(t, "ip", "-batch", batch(t, here.String()))
	guests.Output(t, "ip", "-batch", batch(t, there.String()))
	return guests
}

func batch(t *testing.T, lines string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "batch")
	require.NoError(t, os.WriteFile(file, []byte(lines), 0o600))
	return file
}

// TestStartServed starts networks with and without a server in turns, as a program on a host does: the one with DHCP and DNS in
// process takes at most a millisecond more. The fastest tenth of each counts, in which the machine did least beside it.
func TestStartServed(t *testing.T) {
	needMeasure(t)
	const fewest, most = 20, 200
	filesInMemory(t)
	p := newPlace(t)
	var times [2][]float64
	p.ns.Run(t, func() {
		b, err := linux.Open(linux.Config{RunDir: p.dir, Engine: &serve.Engine{}})
		require.NoError(t, err)
		defer b.Close()
		nets, err := network.Open(t.Context(), b, network.Memory())
		require.NoError(t, err)
		for k, served := range []bool{false, true} {
			require.NoError(t, nets.Define(t.Context(), startDocument(t, k, served)))
		}
		for round := range most {
			for k := range times {
				name := fmt.Sprintf("net%d", k)
				begin := time.Now()
				require.NoError(t, nets.Start(t.Context(), name))
				times[k] = append(times[k], float64(time.Since(begin).Microseconds()))
				require.NoError(t, nets.Stop(t.Context(), name))
			}
			if round+1 >= fewest && fast(times[1])-fast(times[0]) <= 1000 {
				break
			}
		}
	})
	without, with := fast(times[0]), fast(times[1])
	t.Logf("%.0f µs without and %.0f with a server: %.2f times as long", without, with, with/without)
	require.LessOrEqual(t, with-without, 1000.)
}

func fast(list []float64) float64 { return slices.Sorted(slices.Values(list))[len(list)/10] }
