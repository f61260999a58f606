// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
)

// A watchWorld is a namespace with a manager, and one who watches.
type watchWorld struct {
	b    *linux.Backend
	ns   *testenv.Namespace
	dir  string
	nets *network.Manager
	next func() (network.Event, error, bool)
}

func newWatchWorld(t *testing.T) *watchWorld {
	t.Helper()
	testenv.NeedRoot(t)
	testenv.NeedProgram(t, "dnsmasq")
	testenv.NeedProgram(t, "nft")
	w := &watchWorld{ns: testenv.New(t), dir: t.TempDir()}
	var err error
	w.b, err = linux.Open(linux.Config{Namespace: w.ns.Path(), RunDir: w.dir})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.b.Close()) })
	w.nets, err = network.Open(t.Context(), w.b, network.Memory())
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	next, stop := iter.Pull2(w.nets.Watch(ctx))
	t.Cleanup(func() { stop(); cancel() })
	w.next = next
	t.Cleanup(func() {
		for s, err := range w.nets.All(context.Background()) {
			require.NoError(t, err)
			require.NoError(t, w.nets.Stop(context.Background(), s.Name))
		}
	})
	require.Equal(t, network.EventWatching, w.event(t).Kind)
	return w
}

func (w *watchWorld) event(t *testing.T) network.Event {
	t.Helper()
	e, err, ok := w.next()
	require.NoError(t, err)
	require.True(t, ok, "no event came")
	return e
}

// until reads events up to one of a kind. Those before it have to be of the other kind, if one is given.
func (w *watchWorld) until(t *testing.T, kind, before network.EventKind) network.Event {
	t.Helper()
	for {
		e := w.event(t)
		if e.Kind == kind {
			return e
		}
		require.Equal(t, before, e.Kind, "%s\n%s", e, e.Plan)
	}
}

func TestWatchDrift(t *testing.T) {
	text, err := os.ReadFile("../testdata/managed/default.xml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, command string
		kind          network.EventKind
		missing       string
		mend          string
	}{
		{"bridge deleted", "ip link del virbr0", network.EventDeviceLost, "link add virbr0 address", ""},
		{"bridge renamed", "ip link set virbr0 down && ip link set virbr0 name other", network.EventDeviceLost, "link add virbr0 address", "ip link set other name virbr0 && ip link set virbr0 up"},
		{"bridge down", "ip link set virbr0 down", network.EventDriftFound, "link set virbr0 up", "ip link set virbr0 up"},
		{"table flushed", "nft delete table inet virtnet", network.EventDriftFound, "nft filter of virbr0", ""},
		{"rules flushed", "nft flush table inet virtnet", network.EventDriftFound, "nft filter of virbr0", ""},
		{"ruleset flushed", "nft flush ruleset", network.EventDriftFound, "nft filter of virbr0", ""},
		{"rule added", "nft insert rule inet virtnet from-UUID accept", network.EventDriftFound, "nft filter of virbr0", ""},
		{"repair deleted", "nft delete table bridge virtnet", network.EventDriftFound, "nft filter of virbr0", ""},
		{"repair of one deleted", "nft delete element bridge virtnet dhcp '{ 192.168.122.1 }'", network.EventDriftFound, "nft filter of virbr0", ""},
		{"dnsmasq killed", "kill -9 PID", network.EventDriftFound, "serve ", ""},
		{"address removed", "ip addr del 192.168.122.1/24 dev virbr0", network.EventDriftFound, "addr add 192.168.122.1/24 dev virbr0", "ip addr add 192.168.122.1/24 brd + dev virbr0"},
		{"no forwarding", "echo 0 >/proc/sys/net/ipv4/ip_forward", network.EventDriftFound, "ip_forward", "echo 1 >/proc/sys/net/ipv4/ip_forward"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWatchWorld(t)
			n, err := network.Parse(strings.NewReader(string(text)))
			require.NoError(t, err)
			require.NoError(t, w.nets.Create(t.Context(), n))
			require.Equal(t, network.EventStarted, w.event(t).Kind)
			s, err := w.nets.Lookup(t.Context(), n.Name)
			require.NoError(t, err)
			command := strings.ReplaceAll(c.command, "UUID", s.UUID.String())
			if strings.Contains(command, "PID") {
				command = strings.ReplaceAll(command, "PID", fmt.Sprint(w.serverPID(t, n.Name)))
			}
			w.ns.Output(t, "sh", "-c", command)
			// A bridge that goes loses its addresses first.
			e := w.until(t, c.kind, network.EventDriftFound)
			require.Equal(t, n.Name, e.Network)
			require.Contains(t, e.Plan.String(), c.missing)
			if c.kind == network.EventDeviceLost {
				require.Equal(t, "virbr0", e.Link)
			}
			if c.mend == "" {
				return
			}
			w.ns.Output(t, "sh", "-c", c.mend)
			w.until(t, network.EventDriftMended, network.EventDriftFound)
		})
	}
}

// serverPID is the process of the server of a network.
func (w *watchWorld) serverPID(t *testing.T, name string) int {
	t.Helper()
	s, err := w.nets.Lookup(t.Context(), name)
	require.NoError(t, err)
	data, err := os.ReadFile(filepath.Join(w.dir, s.UUID.String(), "process.json"))
	require.NoError(t, err)
	var process struct{ PID int }
	require.NoError(t, json.Unmarshal(data, &process))
	return process.PID
}

// A server that its supervisor starts again has drifted and is mended.
func TestWatchSupervised(t *testing.T) {
	t.Parallel()
	w := newWatchWorld(t)
	n, err := network.Parse(strings.NewReader(watched(1)))
	require.NoError(t, err)
	require.NoError(t, w.nets.Create(t.Context(), n))
	require.Equal(t, network.EventStarted, w.event(t).Kind)
	_, end := supervise(t, w.b, linux.Supervision{FirstDelay: 3 * time.Second}) // time to see that it is gone
	require.NoError(t, syscall.Kill(w.serverPID(t, n.Name), syscall.SIGKILL))
	require.Equal(t, network.EventDriftFound, w.event(t).Kind)
	require.Equal(t, network.EventDriftMended, w.event(t).Kind)
	end()
	require.NoError(t, w.nets.Stop(t.Context(), n.Name))
	require.Equal(t, network.EventStopped, w.event(t).Kind)
}

// watched is a network number i.
func watched(i int) string {
	return fmt.Sprintf(`<network><name>net%d</name><forward/><bridge stp='off'/><ip address='10.9.%d.1' prefix='24'>
<dhcp><range start='10.9.%d.2' end='10.9.%d.99'/></dhcp></ip></network>`, i, i, i, i)
}

// What is started and stopped is no drift, however much of it there is.
func TestWatchManyNetworks(t *testing.T) {
	t.Parallel()
	w := newWatchWorld(t)
	const count = 20
	var wg sync.WaitGroup
	for i := range count {
		wg.Go(func() {
			n, err := network.Parse(strings.NewReader(watched(i + 1)))
			if err == nil {
				err = w.nets.Create(context.Background(), n)
			}
			if err == nil {
				err = w.nets.Stop(context.Background(), n.Name)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	seen := map[network.EventKind]int{}
	for range 2 * count {
		e := w.event(t)
		seen[e.Kind]++
		require.Empty(t, e.Plan, "%s\n%s", e, e.Plan)
	}
	require.Equal(t, map[network.EventKind]int{network.EventStarted: count, network.EventStopped: count}, seen)
	// The last event shows that no drift was on its way.
	n, err := network.Parse(strings.NewReader("<network><name>last</name><bridge name='last'/></network>"))
	require.NoError(t, err)
	require.NoError(t, w.nets.Create(t.Context(), n))
	require.Equal(t, network.EventStarted, w.event(t).Kind)
	w.ns.Output(t, "ip", "link", "set", "last", "down")
	e := w.event(t)
	require.Equal(t, network.EventDriftFound, e.Kind)
	require.Equal(t, "last", e.Network)
}

// A reader that the kernel could not wait for is told to look at everything, and hears what follows.
func TestWatchOverrun(t *testing.T) {
	t.Parallel()
	b, ns := open(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	next, stop := iter.Pull2(b.Watch(ctx))
	defer stop()
	c, err, ok := next()
	require.True(t, ok)
	require.NoError(t, err)
	require.Equal(t, host.Change{}, c)
	ns.Output(t, "ip", "link", "add", "br0", "type", "bridge")
	var batch strings.Builder
	for i := range 4000 {
		fmt.Fprintf(&batch, "link set br0 mtu %d\n", 1400+i%2)
	}
	command := ns.Command(ctx, "ip", "-batch", "-")
	command.Stdin = strings.NewReader(batch.String())
	out, err := command.CombinedOutput()
	require.NoError(t, err, string(out))
	for c = (host.Change{Kind: host.LinkChanged}); c.Kind != host.Anything; {
		c, err, ok = next()
		require.True(t, ok, "nothing was missed")
		require.NoError(t, err)
	}
	ns.Output(t, "ip", "link", "add", "br1", "type", "bridge")
	for c != (host.Change{Kind: host.LinkAdded, Name: "br1"}) {
		c, err, ok = next()
		require.True(t, ok)
		require.NoError(t, err)
	}
	ns.Output(t, "ip", "link", "set", "br1", "name", "br2")
	for _, want := range []host.Change{{Kind: host.LinkRemoved, Name: "br1"}, {Kind: host.LinkAdded, Name: "br2"}} {
		for c != want {
			c, err, ok = next()
			require.True(t, ok, want)
			require.NoError(t, err)
		}
	}
}
