// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/qos"
)

// A portHouse is a machine with a network that guarantees bandwidth, one with cards for one guest each, and a host bridge.
type portHouse struct {
	*hosttest.Machine
	store network.Store
	nets  *network.Manager
	next  byte
	// calls are what the hook was told; refuse is what it says to it.
	calls  []string
	refuse map[string]error
}

func newPortHouse(t testing.TB) *portHouse {
	t.Helper()
	h := &portHouse{Machine: hosttest.New("card1", "card2"), store: network.Memory(), refuse: map[string]error{}}
	h.nets = h.open(t, h.Machine, h.store)
	for _, text := range []string{
		`<network><name>floors</name><forward mode='nat'/><bridge name='br1' stp='off'/><bandwidth><inbound average='1000' peak='5000'/></bandwidth><ip address='10.9.1.1' prefix='24'/></network>`,
		`<network><name>cards</name><forward mode='passthrough'><interface dev='card1'/><interface dev='card2'/></forward></network>`,
		`<network><name>plain</name><bridge name='br2' stp='off'/></network>`,
	} {
		require.NoError(t, h.nets.Create(context.Background(), parse(t, text)))
	}
	return h
}

func (h *portHouse) open(t testing.TB, b host.Backend, s network.Store) *network.Manager {
	t.Helper()
	nets, err := network.Config{Hook: h.hook, Rand: rand.NewChaCha8([32]byte{})}.Open(context.Background(), b, s)
	require.NoError(t, err)
	return nets
}

func (h *portHouse) hook(_ context.Context, c network.PortChange) error {
	call := fmt.Sprintf("%s %s %s", c.Action, c.Network, c.Link)
	h.calls = append(h.calls, call)
	return h.refuse[c.Action.String()]
}

// houseID is a uuid that begins and ends so.
func houseID(first, last byte) schema.UUID {
	id, err := schema.ParseUUID(fmt.Sprintf("%02x000000-0000-4000-8000-0000000000%02x", first, last))
	if err != nil {
		panic(err)
	}
	return id
}

// ask is a request of a new guest, with a floor if that is not 0.
func (h *portHouse) ask(name string, floor uint64) network.PortRequest {
	h.next++
	req := network.PortRequest{Network: name, Port: &network.Port{
		UUID:  houseID(0x30, h.next),
		Owner: &network.Owner{Name: fmt.Sprint("guest", h.next), UUID: houseID(0x40, h.next)},
		MAC:   &network.MAC{Address: schema.MAC{0x52, 0x54, 0, 0, 0, h.next}},
	}}
	if floor > 0 {
		req.Port.Bandwidth = &qos.Bandwidth{Inbound: &qos.Rate{Floor: schema.Num(floor)}}
	}
	if name != "cards" {
		req.Link = "vnet%d"
		req.Plan = guestOn(name).Plan
	}
	return req
}

// state is all that there is: the machine, and the records of ports.
func (h *portHouse) state(t testing.TB) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(h.String())
	keys, err := h.store.List(context.Background(), "run/ports")
	require.NoError(t, err)
	for _, key := range keys {
		data, err := h.store.Load(context.Background(), "run/ports/"+key)
		require.NoError(t, err)
		fmt.Fprintf(&b, "%s %s\n", key, data)
	}
	return b.String()
}

// A portStep is something that is done with ports.
type portStep struct {
	name string
	do   func(ctx context.Context, nets *network.Manager, h *portHouse) error
}

// portSteps begin with one port of each kind.
func portSteps() []portStep {
	first := func(id byte) schema.UUID { return houseID(0x30, id) }
	return []portStep{
		{"create with a floor", func(ctx context.Context, nets *network.Manager, h *portHouse) error {
			_, err := nets.CreatePort(ctx, h.ask("floors", 700))
			return err
		}},
		{"create with a card", func(ctx context.Context, nets *network.Manager, h *portHouse) error {
			_, err := nets.CreatePort(ctx, h.ask("cards", 0))
			return err
		}},
		{"create without anything", func(ctx context.Context, nets *network.Manager, h *portHouse) error {
			_, err := nets.CreatePort(ctx, h.ask("plain", 0))
			return err
		}},
		{"delete with a floor", func(ctx context.Context, nets *network.Manager, _ *portHouse) error {
			return nets.DeletePort(ctx, "floors", first(1))
		}},
		{"delete with a card", func(ctx context.Context, nets *network.Manager, _ *portHouse) error {
			return nets.DeletePort(ctx, "cards", first(2))
		}},
		{"another floor", func(ctx context.Context, nets *network.Manager, h *portHouse) error {
			_, err := nets.ChangePort(ctx, "floors", first(1), h.ask("floors", 5000))
			return err
		}},
		{"no floor any more", func(ctx context.Context, nets *network.Manager, h *portHouse) error {
			_, err := nets.ChangePort(ctx, "floors", first(1), h.ask("floors", 0))
			return err
		}},
		{"another network", func(ctx context.Context, nets *network.Manager, h *portHouse) error {
			_, err := nets.ChangePort(ctx, "floors", first(1), h.ask("plain", 0))
			return err
		}},
		{"to the network with floors", func(ctx context.Context, nets *network.Manager, h *portHouse) error {
			_, err := nets.ChangePort(ctx, "plain", first(3), h.ask("floors", 900))
			return err
		}},
	}
}

// start begins a case with one port of each kind.
func (h *portHouse) start(t testing.TB) {
	t.Helper()
	for _, req := range []network.PortRequest{h.ask("floors", 3000), h.ask("cards", 0), h.ask("plain", 0)} {
		_, err := h.nets.CreatePort(context.Background(), req)
		require.NoError(t, err)
	}
	h.calls = nil
}

// still checks that the ports hold what the machine says they hold, and no more, for this manager and a new one.
func (h *portHouse) still(t testing.TB, floors uint64, classes int, cards int) {
	t.Helper()
	for _, nets := range []*network.Manager{h.nets, h.open(t, h.Machine, h.store)} {
		f, err := h.Facts(context.Background(), host.Scope{All: true})
		require.NoError(t, err)
		require.Len(t, f.Classes, classes)
		sum, ok := host.Guaranteed(f.Classes)
		require.True(t, ok)
		require.Equal(t, floors, sum)
		// What is left can be had, and not a bit more.
		_, err = nets.CreatePort(context.Background(), h.ask("floors", 5000-floors+1))
		require.ErrorIs(t, err, network.ErrFull)
		s, err := nets.Lookup(context.Background(), "cards")
		require.NoError(t, err)
		used := 0
		for _, face := range s.Live.Forward.Interfaces {
			used += int(face.Connections.Uint())
		}
		require.Equal(t, cards, used)
	}
}

// TestPortFaults breaks every operation of every step, and everything that is written down.
func TestPortFaults(t *testing.T) {
	for _, step := range portSteps() {
		t.Run(step.name, func(t *testing.T) {
			cause := errors.New("broken")
			for k := 0; ; k++ {
				h := newPortHouse(t)
				h.start(t)
				before := h.state(t)
				left := k
				h.Fail = func(host.Op) error {
					left--
					if left == -1 {
						return cause
					}
					return nil
				}
				err := step.do(t.Context(), h.nets, h)
				h.Fail = nil
				if left >= 0 {
					require.NoError(t, err)
					return
				}
				require.ErrorIs(t, err, cause)
				if strings.HasPrefix(step.name, "delete") {
					require.NoError(t, step.do(t.Context(), h.nets, h), "a port that is half gone can be deleted again")
					continue
				}
				require.Equal(t, before, h.state(t), "operation %d failed", k+1)
				h.still(t, 3000, 1, 1)
				require.NoError(t, step.do(t.Context(), h.nets, h), "and then it works")
			}
		})
	}
}

// TestPortKilled ends the program before each thing that it does or writes down.
func TestPortKilled(t *testing.T) {
	for _, step := range portSteps() {
		t.Run(step.name, func(t *testing.T) {
			h := newPortHouse(t)
			h.start(t)
			require.NoError(t, step.do(t.Context(), h.nets, h))
			become := h.String()
			for k := 0; ; k++ {
				h := newPortHouse(t)
				h.start(t)
				old := h.String()
				m := &mortal{Store: h.store, Machine: h.Machine, left: 1 << 30}
				nets := h.open(t, m, m)
				m.left = k
				err := step.do(t.Context(), nets, h)
				if m.left >= 0 {
					require.NoError(t, err)
					return
				}
				h.nets = h.open(t, h.Machine, h.store)
				now := h.String()
				require.Contains(t, []string{old, become}, now, "killed after %d", k)
				if now == old && !strings.HasPrefix(step.name, "delete") {
					h.still(t, 3000, 1, 1)
				}
				for _, name := range []string{"floors", "cards", "plain"} {
					for p, err := range h.nets.Ports(t.Context(), name) {
						require.NoError(t, err)
						require.NoError(t, h.nets.DeletePort(t.Context(), name, p.Port.UUID))
					}
				}
				h.still(t, 0, 0, 0)
				require.NotContains(t, h.String(), "vnet")
			}
		})
	}
}

func TestPortHook(t *testing.T) {
	no := errors.New("no")
	h := newPortHouse(t)
	before := h.state(t)

	h.refuse["plug"] = no
	_, err := h.nets.CreatePort(t.Context(), h.ask("floors", 700))
	require.ErrorIs(t, err, no)
	require.Equal(t, before, h.state(t))
	require.Equal(t, []string{"plug floors vnet0"}, h.calls, "who refused is not told that it is gone")
	h.still(t, 0, 0, 0)

	h.calls, h.refuse = nil, map[string]error{}
	p, err := h.nets.CreatePort(t.Context(), h.ask("floors", 700))
	require.NoError(t, err)
	require.Len(t, h.calls, 1)
	require.Equal(t, "plug floors "+p.Link, h.calls[0])

	h.calls, h.refuse["unplug"] = nil, no
	require.ErrorIs(t, h.nets.DeletePort(t.Context(), "floors", p.Port.UUID), no)
	require.NotContains(t, h.String(), p.Link, "nothing stands any more")
	_, err = h.nets.Port(t.Context(), "floors", p.Port.UUID)
	require.NoError(t, err, "and the port is still known")
	h.refuse = map[string]error{}
	require.NoError(t, h.nets.DeletePort(t.Context(), "floors", p.Port.UUID))
	require.Equal(t, []string{"unplug floors " + p.Link, "unplug floors " + p.Link}, h.calls)

	// What fails after the hook has agreed is told to it.
	h.calls = nil
	broken := errors.New("broken")
	h.Fail = func(op host.Op) error {
		if _, ok := op.(host.AddClass); ok {
			return broken
		}
		return nil
	}
	_, err = h.nets.CreatePort(t.Context(), h.ask("floors", 700))
	require.ErrorIs(t, err, broken)
	require.Len(t, h.calls, 2)
	require.Equal(t, strings.Replace(h.calls[0], "plug", "unplug", 1), h.calls[1])
	h.Fail = nil

	// It sees the machine before anything is done, and a plan that says what will be.
	req := h.ask("plain", 0)
	var seen string
	nets, err := network.Config{Hook: func(_ context.Context, c network.PortChange) error {
		seen = h.String()
		require.Contains(t, c.Plan.String(), "tuntap add dev "+c.Link)
		require.Equal(t, req.Port.UUID, c.Port.UUID)
		require.Equal(t, "br2", c.Port.Plug.Bridge.String())
		return nil
	}}.Open(t.Context(), h.Machine, h.store)
	require.NoError(t, err)
	before = h.String()
	_, err = nets.CreatePort(t.Context(), req)
	require.NoError(t, err)
	require.Equal(t, before, seen)
}

func TestPortReclaim(t *testing.T) {
	h := newPortHouse(t)
	req := h.ask("cards", 0)
	plugged := req
	plugged.Port = req.Port.Clone()
	plugged.Port.Plug = &network.Plug{Type: network.PlugDirect, Dev: "card2", Mode: schema.MacvtapPassthrough}

	_, err := h.nets.CreatePort(t.Context(), plugged)
	require.ErrorIs(t, err, fs.ErrInvalid, "a plug without saying that the guest runs")
	req.Reclaim, plugged.Reclaim = true, true
	_, err = h.nets.CreatePort(t.Context(), req)
	require.ErrorIs(t, err, fs.ErrInvalid, "a guest that runs, and no plug")

	p, err := h.nets.CreatePort(t.Context(), plugged)
	require.NoError(t, err)
	require.Equal(t, "card2", p.Port.Plug.Dev.String())
	_, err = h.nets.CreatePort(t.Context(), plugged)
	require.ErrorIs(t, err, fs.ErrExist)
	other := h.ask("cards", 0)
	other.Reclaim, other.Port.Plug = true, plugged.Port.Clone().Plug
	_, err = h.nets.CreatePort(t.Context(), other)
	require.ErrorIs(t, err, fs.ErrExist)
	require.ErrorContains(t, err, "guest1", "who has it")
	other.Port.Plug.Dev = "card9"
	_, err = h.nets.CreatePort(t.Context(), other)
	require.ErrorIs(t, err, fs.ErrNotExist)
	h.still(t, 0, 0, 1)
}

// TestPortsOfTwoManagers wants two programs on one store never to give anything twice, whoever asks.
func TestPortsOfTwoManagers(t *testing.T) {
	h := newPortHouse(t)
	managers := []*network.Manager{h.nets, open(t, h.Machine, h.store)}
	var wg sync.WaitGroup
	var mu sync.Mutex
	cards, classes := map[string]int{}, map[uint64]int{}
	reqs := make([]network.PortRequest, 40)
	for i := range reqs {
		reqs[i] = h.ask("cards", 0)
		if i%2 == 0 {
			reqs[i] = h.ask("floors", 500)
		}
	}
	for i, req := range reqs {
		wg.Go(func() {
			s, err := managers[i/2%2].CreatePort(t.Context(), req)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, network.ErrFull):
			case err != nil:
				t.Error(err)
			case s.Network == "cards":
				cards[s.Port.Plug.Dev.String()]++
			default:
				classes[s.Port.Bandwidth.ClassID.Uint()]++
			}
		})
	}
	wg.Wait()
	require.Equal(t, map[string]int{"card1": 1, "card2": 1}, cards)
	require.Len(t, classes, 10, "10 times 500 of 5000")
	h.still(t, 5000, 10, 2)
}

func TestChangePortKeepsWhatItHas(t *testing.T) {
	h := newPortHouse(t)
	h.start(t)
	p, err := h.nets.CreatePort(t.Context(), h.ask("cards", 0))
	require.NoError(t, err)
	require.Equal(t, "card2", p.Port.Plug.Dev.String())
	again, err := h.nets.ChangePort(t.Context(), "cards", p.Port.UUID, h.ask("cards", 0))
	require.NoError(t, err)
	require.Equal(t, "card2", again.Port.Plug.Dev.String())
	require.Equal(t, p.Port.UUID, again.Port.UUID)

	// The floor it had counts as given back, and its class stays.
	id := houseID(0x30, 1)
	more, err := h.nets.ChangePort(t.Context(), "floors", id, h.ask("floors", 4000))
	require.NoError(t, err)
	require.EqualValues(t, 3, more.Port.Bandwidth.ClassID.Uint())
	_, err = h.nets.ChangePort(t.Context(), "floors", id, h.ask("floors", 5001))
	require.ErrorIs(t, err, network.ErrFull)
	h.still(t, 4000, 1, 2)

	_, err = h.nets.ChangePort(t.Context(), "floors", houseID(0x99, 0), h.ask("floors", 1))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, h.nets.DeletePort(t.Context(), "cards", p.Port.UUID))
	_, err = h.nets.ChangePort(t.Context(), "floors", id, h.ask("cards", 0))
	require.ErrorIs(t, err, errors.ErrUnsupported, "a tap cannot become a card")
	h.still(t, 4000, 1, 1)
}

// A pausing backend does something else before an operation.
type pausing struct {
	host.Backend
	before func(host.Op)
}

func (p pausing) Do(ctx context.Context, op host.Op) error {
	p.before(op)
	return p.Backend.Do(ctx, op)
}

// TestClassIsLeft attaches guests while the class of another one, which is on its way to another network, is still on the host; by the
// manager that moves it and by one that reads the records. The class is free afterwards.
func TestClassIsLeft(t *testing.T) {
	h := newPortHouse(t)
	h.start(t)
	var classes []uint64
	attach := func(nets *network.Manager) {
		p, err := nets.CreatePort(t.Context(), h.ask("floors", 100))
		require.NoError(t, err)
		classes = append(classes, p.Port.Bandwidth.ClassID.Uint())
	}
	other, err := network.Config{}.Open(t.Context(), h.Machine, h.store)
	require.NoError(t, err)
	var busy *network.Manager
	attachMeanwhile := func(op host.Op) {
		if op, ok := op.(host.DelClass); ok && op.ID == 3 {
			attach(busy)
			attach(other)
		}
	}
	busy, err = network.Config{}.Open(t.Context(), pausing{h.Machine, attachMeanwhile}, h.store)
	require.NoError(t, err)
	_, err = busy.ChangePort(t.Context(), "floors", houseID(0x30, 1), h.ask("plain", 0))
	require.NoError(t, err)
	attach(h.nets)
	require.Equal(t, []uint64{4, 5, 3}, classes)
}

// TestPortGivesBack asks for another floor that fits only if the one before counts as given back.
func TestPortGivesBack(t *testing.T) {
	for _, rules := range []schema.Rules{{}, {Compat: true}, {Allow: []schema.Deviation{network.PortGivesBack}}} {
		h := newPortHouse(t)
		h.start(t)
		var err error
		h.nets, err = network.Config{Rules: rules}.Open(t.Context(), h.Machine, h.store)
		require.NoError(t, err)
		_, err = h.nets.ChangePort(t.Context(), "floors", houseID(0x30, 1), h.ask("floors", 4000))
		if rules.Skips(network.PortGivesBack) {
			require.ErrorIs(t, err, network.ErrFull)
		} else {
			require.NoError(t, err)
		}
	}
}

// TestClassStays wants a port to keep its traffic class although a lower one is free by now.
func TestClassStays(t *testing.T) {
	h := newPortHouse(t)
	h.start(t)
	p, err := h.nets.CreatePort(t.Context(), h.ask("floors", 100))
	require.NoError(t, err)
	require.EqualValues(t, 4, p.Port.Bandwidth.ClassID.Uint())
	require.NoError(t, h.nets.DeletePort(t.Context(), "floors", houseID(0x30, 1)))
	before := len(h.Log())
	p, err = h.nets.ChangePort(t.Context(), "floors", p.Port.UUID, h.ask("floors", 200))
	require.NoError(t, err)
	require.EqualValues(t, 4, p.Port.Bandwidth.ClassID.Uint())
	done := h.Log()[before:]
	require.Len(t, done, 1)
	require.Contains(t, done[0].String(), "tc class change")
}

func TestStopIdle(t *testing.T) {
	h := newPortHouse(t)
	h.start(t)
	before := h.state(t)
	require.ErrorIs(t, h.nets.StopIdle(t.Context(), "plain"), network.ErrBusy)
	require.Equal(t, before, h.state(t))
	require.NoError(t, h.nets.DeletePort(t.Context(), "plain", houseID(0x30, 3)))
	require.NoError(t, h.nets.StopIdle(t.Context(), "plain"))
	require.ErrorIs(t, h.nets.StopIdle(t.Context(), "plain"), fs.ErrNotExist)
}

// TestBrokenPortSaysWhy takes a port back that cannot be plugged in again, and then can.
func TestBrokenPortSaysWhy(t *testing.T) {
	h := newPortHouse(t)
	h.start(t)
	id, broken := houseID(0x30, 1), errors.New("broken")
	require.NoError(t, h.Do(t.Context(), host.Unplug{Link: "vnet0", Bridge: "br1"}))
	h.Fail = func(op host.Op) error {
		if _, ok := op.(host.Plug); ok {
			return broken
		}
		return nil
	}
	nets, err := network.Open(t.Context(), h.Machine, h.store)
	require.ErrorIs(t, err, broken)
	p, lookErr := nets.Port(t.Context(), "floors", id)
	require.NoError(t, lookErr)
	require.Contains(t, p.Broken, "link set vnet0 master br1: broken")
	_, err = nets.CreatePort(t.Context(), h.ask("floors", 2001))
	require.ErrorIs(t, err, network.ErrFull, "its floor counts all the same")

	h.Fail = nil
	nets, err = network.Open(t.Context(), h.Machine, h.store)
	require.NoError(t, err)
	p, err = nets.Port(t.Context(), "floors", id)
	require.NoError(t, err)
	require.Empty(t, p.Broken)
	h.still(t, 3000, 1, 1)
}

// TestPortOnce asks twice for one uuid. The second request is refused before anything is chosen for it.
func TestPortOnce(t *testing.T) {
	h := newPortHouse(t)
	h.start(t)
	twice := h.ask("cards", 0)
	twice.Port.UUID = houseID(0x30, 2)
	before := h.state(t)
	_, err := h.nets.CreatePort(t.Context(), twice)
	require.ErrorIs(t, err, fs.ErrExist)
	require.Equal(t, before, h.state(t))
	p, err := h.nets.CreatePort(t.Context(), h.ask("cards", 0))
	require.NoError(t, err)
	require.Equal(t, "card2", p.Port.Plug.Dev.String())
}

// TestPortCounts updates a network whose device is in use: it stays counted, and is given to nobody else.
func TestPortCounts(t *testing.T) {
	h := newPortHouse(t)
	h.start(t)
	_, err := h.nets.Update(t.Context(), "cards", network.UpdateRequest{Live: true, Updates: []network.Update{
		{Section: network.SectionPortGroup, Command: network.CommandAddLast, XML: "<portgroup name='more'/>"},
	}})
	require.NoError(t, err)
	s, err := h.nets.Lookup(t.Context(), "cards")
	require.NoError(t, err)
	require.Len(t, s.Live.PortGroups, 1)
	require.EqualValues(t, 1, s.Live.Connections.Uint())
	require.EqualValues(t, 1, s.Live.Forward.Interfaces[0].Connections.Uint())
	p, err := h.nets.CreatePort(t.Context(), h.ask("cards", 0))
	require.NoError(t, err)
	require.Equal(t, "card2", p.Port.Plug.Dev.String())
	_, err = h.nets.CreatePort(t.Context(), h.ask("cards", 0))
	require.ErrorIs(t, err, network.ErrFull)
}

// TestChangePortWhileStarting changes ports of a network while it is stopped and started: nobody waits for ever.
func TestChangePortWhileStarting(t *testing.T) {
	h := newPortHouse(t)
	require.NoError(t, h.nets.Define(t.Context(), small(t, 3)))
	require.NoError(t, h.nets.Start(t.Context(), "net3"))
	var ids []schema.UUID
	for range 4 {
		p, err := h.nets.CreatePort(t.Context(), h.ask("net3", 0))
		require.NoError(t, err)
		ids = append(ids, p.Port.UUID)
	}
	reqs := make([]network.PortRequest, len(ids))
	for i := range ids {
		reqs[i] = h.ask("net3", 0)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	for i, id := range ids {
		wg.Go(func() {
			for range 50 {
				if _, err := h.nets.ChangePort(ctx, "net3", id, reqs[i]); err != nil && !errors.Is(err, network.ErrInactive) {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		for range 25 {
			if err := errors.Join(h.nets.Stop(ctx, "net3"), h.nets.Start(ctx, "net3")); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
}
