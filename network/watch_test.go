// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
)

// A reader reads events one by one. It gives up by itself when one does not come.
type reader struct {
	t    testing.TB
	pull func() (network.Event, error, bool)
	stop func()
}

type events = iter.Seq2[network.Event, error]

// watch begins to watch.
func watch(t testing.TB, nets *network.Manager) reader {
	t.Helper()
	return begin(t, nets.Watch)
}

func begin(t testing.TB, watch func(context.Context) events) reader {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	next, stop := iter.Pull2(watch(ctx))
	t.Cleanup(func() { stop(); cancel() })
	r := reader{t, next, stop}
	require.Equal(t, network.EventWatching, r.next().Kind)
	return r
}

func (r reader) next() network.Event {
	r.t.Helper()
	e, err, ok := r.pull()
	require.NoError(r.t, err)
	require.True(r.t, ok, "no event came")
	require.False(r.t, e.Time.IsZero())
	return e
}

// wants reads one event for each line.
func (r reader) wants(lines ...string) {
	r.t.Helper()
	for _, line := range lines {
		require.Equal(r.t, line, r.next().String())
	}
}

// mark makes an event that shows that no other is on its way: drift that is looked at after what was done before.
func (r reader) mark(m *hosttest.Machine, nets *network.Manager) {
	r.t.Helper()
	ctx := context.Background()
	name := fmt.Sprintf("mark%d", len(m.Log()))
	require.NoError(r.t, nets.Create(ctx, parse(r.t, "<network><name>"+name+"</name><bridge name='"+name+"' stp='off'/></network>")))
	r.wants(fmt.Sprintf("started network %q", name))
	require.NoError(r.t, m.Do(ctx, host.SetDown{Link: name}))
	r.wants(fmt.Sprintf("drift-found network %q, 1 steps missing", name))
	require.NoError(r.t, nets.Stop(ctx, name))
	r.wants(fmt.Sprintf("stopped network %q", name))
}

func TestWatchTellsWhatIsDone(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	nets := open(t, m, network.Memory())
	require.NoError(t, nets.Define(ctx, small(t, 2))) // before anybody watches
	w := watch(t, nets)
	require.NoError(t, nets.Define(ctx, small(t, 1)))
	require.NoError(t, nets.Define(ctx, small(t, 1)))
	require.NoError(t, nets.Start(ctx, "net1"))
	p, err := nets.CreatePort(ctx, guestOn("net1"))
	require.NoError(t, err)
	_, err = nets.Update(ctx, "net1", one(network.SectionDHCPHost, network.CommandAddLast, 0, `<host mac='52:54:00:00:00:07' ip='10.9.1.100'/>`))
	require.NoError(t, err)
	_, err = nets.ChangePort(ctx, "net1", p.Port.UUID, guestOn("net1"))
	require.NoError(t, err)
	require.NoError(t, nets.Undefine(ctx, "net1"))
	require.NoError(t, nets.DeletePort(ctx, "net1", p.Port.UUID))
	require.NoError(t, nets.Stop(ctx, "net1"))
	port := fmt.Sprintf(` network "net1" port %s link vnet0`, p.Port.UUID)
	w.wants(`defined network "net1"`, `redefined network "net1"`, `started network "net1"`, `port-added`+port, `updated network "net1"`,
		`port-changed`+port, `undefined network "net1"`, `port-removed`+port, `stopped network "net1"`)
	w.mark(m, nets)
}

// What fails is not told.
func TestWatchDoesNotTellWhatFails(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	nets := open(t, m, network.Memory())
	require.NoError(t, nets.Create(ctx, small(t, 1)))
	w := watch(t, nets)
	require.Error(t, nets.Define(ctx, &network.Network{}))
	require.Error(t, nets.Undefine(ctx, "net1"))
	require.Error(t, nets.Start(ctx, "net1"))
	m.Fail = func(op host.Op) error {
		switch op.(type) {
		case host.SetUp, host.Unserve:
			return errors.New("told to fail")
		}
		return nil
	}
	require.Error(t, nets.Create(ctx, small(t, 2)))
	_, err := nets.CreatePort(ctx, guestOn("net1"))
	require.Error(t, err)
	_, err = nets.Update(ctx, "net1", one(network.SectionDHCPHost, network.CommandDelete, 0, `<host mac='52:54:00:00:00:07'/>`))
	require.Error(t, err)
	m.Fail = nil
	w.mark(m, nets)
}

// A network that could only be stopped half way is told to be stopped when the rest is gone.
func TestWatchTellsALateStop(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	nets := open(t, m, network.Memory())
	require.NoError(t, nets.Define(ctx, small(t, 1)))
	require.NoError(t, nets.Start(ctx, "net1"))
	w := watch(t, nets)
	m.Fail = func(op host.Op) error {
		if _, ok := op.(host.DelBridge); ok {
			return errors.New("told to fail")
		}
		return nil
	}
	require.Error(t, nets.Stop(ctx, "net1"))
	m.Fail = nil
	require.NoError(t, nets.Start(ctx, "net1"))
	w.wants(`stopped network "net1"`, `started network "net1"`)
	w.mark(m, nets)
}

func TestWatchFindsDrift(t *testing.T) {
	addr := host.AddAddr{Link: "virbr0", Prefix: netip.MustParsePrefix("10.9.1.1/24")}
	for _, c := range []struct {
		name   string
		breaks func(m *hosttest.Machine, uuid string) error
		kind   network.EventKind
		link   string
	}{
		{"filter", func(m *hosttest.Machine, _ string) error { m.FlushFilters(); return nil }, network.EventDriftFound, ""},
		{"server", func(m *hosttest.Machine, uuid string) error { return m.KillServer(uuid) }, network.EventDriftFound, ""},
		{"address", func(m *hosttest.Machine, _ string) error { return m.Do(context.Background(), addr.Inverse()) }, network.EventDriftFound, ""},
		{"down", func(m *hosttest.Machine, _ string) error {
			return m.Do(context.Background(), host.SetDown{Link: "virbr0"})
		}, network.EventDriftFound, ""},
		{"forwarding", func(m *hosttest.Machine, _ string) error { return m.Do(context.Background(), host.DisableForwarding{}) }, network.EventDriftFound, ""},
		{"bridge", func(m *hosttest.Machine, _ string) error {
			f, err := m.Facts(context.Background(), host.Scope{Links: []string{"virbr0"}})
			if err != nil {
				return err
			}
			return m.Do(context.Background(), host.DelBridge{Link: "virbr0", MAC: f.Links[0].MAC, Owner: f.Links[0].Owner})
		}, network.EventDeviceLost, "virbr0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, m, store := t.Context(), hosttest.New("eth0"), network.Memory()
			nets := open(t, m, store)
			require.NoError(t, nets.Define(ctx, small(t, 1)))
			require.NoError(t, nets.Define(ctx, small(t, 2)))
			require.NoError(t, nets.Start(ctx, "net1"))
			require.NoError(t, nets.Start(ctx, "net2"))
			s, err := nets.Lookup(ctx, "net1")
			require.NoError(t, err)
			w := watch(t, nets)
			require.NoError(t, c.breaks(m, s.UUID.String()))
			got := map[string]network.Event{}
			for e := w.next(); ; e = w.next() {
				got[e.Network] = e
				if len(got) == 2 || e.Network == "net1" && c.name != "filter" && c.name != "forwarding" {
					break // what all have together is told of each
				}
			}
			e := got["net1"]
			require.Equal(t, c.kind, e.Kind)
			require.Equal(t, c.link, e.Link)
			missing, err := nets.Plan(ctx, "net1")
			require.NoError(t, err)
			require.NotEmpty(t, missing)
			require.Equal(t, missing.String(), e.Plan.String())
			w.mark(m, nets) // once

			// A second reader is told what the first knows already.
			second := watch(t, nets)
			require.Equal(t, c.kind, second.next().Kind)
			second.stop()

			if c.kind == network.EventDeviceLost {
				require.NoError(t, nets.Stop(ctx, "net1"))
				w.wants(`stopped network "net1"`)
				return
			}
			open(t, m, store)
			for range got {
				require.Equal(t, network.EventDriftMended, w.next().Kind)
			}
			w.mark(m, nets)
		})
	}
}

// More drift is told as one thing with what was there before.
func TestWatchFindsMoreDrift(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	nets := open(t, m, network.Memory())
	require.NoError(t, nets.Create(ctx, small(t, 1)))
	s, err := nets.Lookup(ctx, "net1")
	require.NoError(t, err)
	w := watch(t, nets)
	m.FlushFilters()
	w.wants(`drift-found network "net1", 1 steps missing`)
	require.NoError(t, m.KillServer(s.UUID.String()))
	w.wants(`drift-found network "net1", 2 steps missing`)
	for _, step := range s.Built {
		if serve, ok := step.Op.(host.Serve); ok {
			require.NoError(t, m.Do(ctx, serve))
		}
	}
	w.mark(m, nets) // the other is still there
	require.NoError(t, nets.Stop(ctx, "net1"))
	w.wants(`stopped network "net1"`)
}

func TestWatchFindsDriftOfPorts(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	nets := open(t, m, network.Memory())
	require.NoError(t, nets.Define(ctx, small(t, 1)))
	require.NoError(t, nets.Start(ctx, "net1"))
	w := watch(t, nets)
	p, err := nets.CreatePort(ctx, guestOn("net1"))
	require.NoError(t, err)
	port := fmt.Sprintf(` network "net1" port %s link vnet0`, p.Port.UUID)
	w.wants("port-added" + port)

	plug := p.Built[1].Op
	require.NoError(t, m.Do(ctx, plug.Inverse()))
	w.wants("drift-found" + port + ", 1 steps missing")
	require.NoError(t, m.Do(ctx, plug))
	w.wants("drift-mended" + port)

	// A port of a network that does not run is plugged into nothing, and that is as it should be.
	require.NoError(t, nets.Stop(ctx, "net1"))
	w.wants(`stopped network "net1"`)
	w.mark(m, nets)
	require.NoError(t, nets.Start(ctx, "net1"))
	w.wants(`started network "net1"`)
	w.mark(m, nets)

	require.NoError(t, m.Do(ctx, p.Built[0].Op.Inverse()))
	w.wants("device-lost" + port + ", 3 steps missing")
	require.NoError(t, nets.Stop(ctx, "net1"))
	require.NoError(t, nets.Start(ctx, "net1"))
	w.wants(`stopped network "net1"`, `started network "net1"`, "port-removed"+port)
	w.mark(m, nets)

	// One of no network has itself only.
	req := guestOn("")
	req.Port.Plug = &network.Plug{Type: network.PlugBridge, Bridge: "virbr0"}
	p, err = nets.CreatePort(ctx, req)
	require.NoError(t, err)
	w.wants(fmt.Sprintf("port-added port %s link vnet1", p.Port.UUID))
	require.NoError(t, m.Do(ctx, p.Built[0].Op.Inverse()))
	w.wants(fmt.Sprintf("device-lost port %s link vnet1, 3 steps missing", p.Port.UUID))
}

// A port that follows its network to another bridge has changed.
func TestWatchTellsPortsThatMove(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	nets := open(t, m, network.Memory())
	define := func(bridge string) {
		require.NoError(t, nets.Define(ctx, parse(t, "<network><name>net1</name><bridge name='"+bridge+"'/></network>")))
	}
	define("br1")
	require.NoError(t, nets.Start(ctx, "net1"))
	p, err := nets.CreatePort(ctx, guestOn("net1"))
	require.NoError(t, err)
	define("br2")
	w := watch(t, nets)
	require.NoError(t, nets.Stop(ctx, "net1"))
	require.NoError(t, nets.Start(ctx, "net1"))
	port := fmt.Sprintf(` network "net1" port %s link vnet0`, p.Port.UUID)
	w.wants(`stopped network "net1"`, `started network "net1"`, "port-changed"+port)
	w.mark(m, nets)
	require.NoError(t, m.Do(ctx, host.Unplug(host.Plug{Link: "vnet0", Bridge: "br2"})))
	w.wants("drift-found" + port + ", 1 steps missing")
}

// What the library itself does is never drift, whoever does it.
func TestWatchSeesNoFalseDrift(t *testing.T) {
	m, store := hosttest.New("eth0"), network.Memory()
	managers := []*network.Manager{open(t, m, store), open(t, m, store)}
	w := watch(t, managers[0])
	const count = 20
	var wg sync.WaitGroup
	for i := range count {
		wg.Go(func() {
			ctx, nets := context.Background(), managers[i%2]
			n := small(t, i+1)
			for range 2 {
				if err := nets.Create(ctx, n); err != nil {
					t.Error(err)
					return
				}
				p, err := nets.CreatePort(ctx, guestOn(n.Name))
				if err == nil {
					_, err = nets.Update(ctx, n.Name, one(network.SectionDHCPHost, network.CommandAddLast, 0, fmt.Sprintf(`<host mac='52:54:00:00:00:07' ip='10.9.%d.100'/>`, i+1)))
				}
				if err == nil {
					err = nets.DeletePort(ctx, n.Name, p.Port.UUID)
				}
				if err == nil {
					err = nets.Stop(ctx, n.Name)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	seen := map[network.EventKind]int{}
	for range count / 2 * 2 * 5 {
		seen[w.next().Kind]++
	}
	each := count / 2 * 2 // those of the other manager are not told
	require.Equal(t, map[network.EventKind]int{
		network.EventStarted: each, network.EventStopped: each, network.EventUpdated: each, network.EventPortAdded: each, network.EventPortRemoved: each,
	}, seen)
	w.mark(m, managers[0])
}

// Of what others do on the same store, drift alone is told.
func TestWatchOfOthers(t *testing.T) {
	ctx, m, store := t.Context(), hosttest.New("eth0"), network.Memory()
	mine, others := open(t, m, store), open(t, m, store)
	w := watch(t, mine)
	require.NoError(t, others.Create(ctx, small(t, 1)))
	w.mark(m, mine)
	m.FlushFilters()
	w.wants(`drift-found network "net1", 1 steps missing`)
	require.NoError(t, others.Stop(ctx, "net1"))
	w.mark(m, mine)
}

// Who does not read gets as much as there is room for, and then what he missed, at its place.
func TestWatchOverflows(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	nets := open(t, m, network.Memory())
	w := watch(t, nets)
	const room, more = 1024, 10
	tiny := parse(t, "<network><name>net1</name><bridge name='br1'/></network>")
	for range room + more {
		require.NoError(t, nets.Define(ctx, tiny))
	}
	w.wants(`defined network "net1"`)
	require.NoError(t, nets.Undefine(ctx, "net1")) // there is still no room
	for range room - 1 {
		w.wants(`redefined network "net1"`)
	}
	require.NoError(t, nets.Define(ctx, small(t, 1)))
	w.wants(fmt.Sprintf("missed %d", more+1), `defined network "net1"`)
	require.NoError(t, nets.Undefine(ctx, "net1"))
	w.wants(`undefined network "net1"`)
}

// goroutines are those of watching that run.
func goroutines() int {
	buf := make([]byte, 1<<20)
	return strings.Count(string(buf[:runtime.Stack(buf, true)]), "network.(*lookout)")
}

func TestWatchLeavesNothingBehind(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	nets := open(t, m, network.Memory())
	require.Zero(t, goroutines())
	for e, err := range nets.Watch(ctx) {
		require.NoError(t, err)
		require.Equal(t, network.EventWatching, e.Kind)
		require.Positive(t, goroutines())
		break
	}
	require.Zero(t, goroutines(), "after the loop was left")

	ending, end := context.WithCancel(ctx)
	defer end()
	for range nets.Watch(ending) {
		go end()
	}
	require.Zero(t, goroutines(), "after ctx ended")
	for range nets.Watch(ending) {
		t.Error("an event after ctx ended")
	}

	require.Panics(t, func() {
		for range nets.Watch(ctx) {
			panic("the reader breaks")
		}
	})
	require.Zero(t, goroutines(), "after a panic")
	require.NoError(t, nets.Define(ctx, small(t, 1)), "nobody hears it")

	// A loop that is left while a look waits for a lock does not wait for it.
	store := network.Memory()
	nets = open(t, m, store)
	require.NoError(t, nets.Start(ctx, defined(t, nets, 2)))
	release, err := store.Lock(ctx, "networks/net2")
	require.NoError(t, err)
	for range nets.Watch(ctx) {
		m.FlushFilters()
		break
	}
	release()
	require.Zero(t, goroutines())
}

func defined(t *testing.T, nets *network.Manager, i int) string {
	t.Helper()
	n := small(t, i)
	require.NoError(t, nets.Define(t.Context(), n))
	return n.Name
}

// A blindMachine is a backend that cannot be watched.
type blindMachine struct{ host.Backend }

func TestWatchWithoutWatcher(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	nets := open(t, blindMachine{m}, network.Memory())
	w := watch(t, nets)
	require.NoError(t, nets.Create(ctx, small(t, 1)))
	m.FlushFilters()
	require.Zero(t, goroutines())
	require.NoError(t, nets.Stop(ctx, "net1"))
	w.wants(`started network "net1"`, `stopped network "net1"`)
}

// A deafMachine tells no more after its first change.
type deafMachine struct {
	*hosttest.Machine
	err error
}

func (m deafMachine) Watch(context.Context) iter.Seq2[host.Change, error] {
	return func(yield func(host.Change, error) bool) {
		if yield(host.Change{}, nil) && m.err != nil {
			yield(host.Change{}, m.err)
		}
	}
}

func TestWatchEndsWithItsHost(t *testing.T) {
	for _, broken := range []error{nil, fs.ErrPermission} {
		nets := open(t, deafMachine{hosttest.New("eth0"), broken}, network.Memory())
		var kinds []network.EventKind
		var last error
		for e, err := range nets.Watch(t.Context()) {
			kinds, last = append(kinds, e.Kind), err
		}
		require.Equal(t, []network.EventKind{network.EventWatching, 0}, kinds)
		require.Error(t, last)
		if broken != nil {
			require.ErrorIs(t, last, broken)
		}
		require.Zero(t, goroutines())
	}
}

// What cannot be looked at is told, and watching goes on.
func TestWatchTellsWhatItCannotSee(t *testing.T) {
	ctx, store := t.Context(), network.Memory()
	m := &watchedMachine{Machine: hosttest.New("eth0")}
	nets := open(t, m, store)
	require.NoError(t, nets.Create(ctx, small(t, 1)))
	w := watch(t, nets)
	good, err := store.Load(ctx, "run/networks/net1")
	require.NoError(t, err)
	require.NoError(t, store.Save(ctx, "run/networks/net1", []byte("{")))
	require.NoError(t, m.AddLink("eth1"))
	e, err, ok := w.pull()
	require.True(t, ok)
	require.ErrorContains(t, err, "store: run/networks/net1")
	require.Equal(t, "net1", e.Network)
	require.NoError(t, store.Save(ctx, "run/networks/net1", good))
	m.FlushFilters()
	w.wants(`drift-found network "net1", 1 steps missing`)
}

func TestEventIsPlain(t *testing.T) {
	e := network.Event{Kind: network.EventDriftFound, Network: "lab", Plan: host.Plan{{Op: host.SetUp{Link: "br0"}, From: "/network/bridge"}}}
	data, err := json.Marshal(e)
	require.NoError(t, err)
	require.Contains(t, string(data), `"kind":"drift-found"`)
	var back network.Event
	require.NoError(t, json.Unmarshal(data, &back))
	require.Equal(t, e, back)
	require.Error(t, json.Unmarshal([]byte(`{"kind":"drift"}`), &back))
	_, err = network.EventKind(0).MarshalText()
	require.NoError(t, err)
	for k := network.EventWatching; k <= network.EventRestored; k++ {
		text, err := k.MarshalText()
		require.NoError(t, err)
		require.NotEmpty(t, text)
	}
	_, err = (network.EventRestored + 1).MarshalText()
	require.Error(t, err)
}
