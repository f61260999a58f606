// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/qos"
)

// richNetwork has one of everything that can drift.
const richNetwork = `<network><name>rich</name><forward/><bridge name='br1' stp='on' delay='2'/><mac address='52:54:00:00:00:01'/>
<bandwidth><inbound average='1000' peak='5000'/><outbound average='1000'/></bandwidth>
<ip address='10.9.1.1' prefix='24'><dhcp><range start='10.9.1.2' end='10.9.1.99'/></dhcp></ip>
<ip family='ipv6' address='2001:db8:1::1' prefix='64'/>
<route address='10.77.0.0' prefix='16' gateway='10.9.1.9'/>
<v:forwards xmlns:v='https://go-virtnet.github.io/schemas/network/1.0'><v:forward proto='tcp' port='8080' to='10.9.1.2'/></v:forwards></network>`

// A repairHouse is a machine with the network rich and a guaranteed guest on it, another network, and things of others.
type repairHouse struct {
	*hosttest.Machine
	store network.Store
	nets  *network.Manager
	port  *network.PortStatus
	uuid  string
	whole string
}

func newRepairHouse(t testing.TB) *repairHouse {
	t.Helper()
	ctx := context.Background()
	h := &repairHouse{Machine: hosttest.New("eth0"), store: network.Memory()}
	for _, op := range []host.Op{
		host.AddBridge{Link: "docker0", MAC: host.MAC{2, 0, 0, 0, 9, 9}},
		host.SetUp{Link: "docker0"},
		host.AddAddr{Link: "docker0", Prefix: netip.MustParsePrefix("172.17.0.1/16")},
		host.AddTap{Link: "tap9", MAC: host.MAC{0xfe, 0, 0, 0, 9, 9}},
	} {
		require.NoError(t, h.Do(ctx, op))
	}
	h.nets = open(t, h, h.store)
	require.NoError(t, h.nets.Create(ctx, parse(t, richNetwork)))
	require.NoError(t, h.nets.Create(ctx, small(t, 2)))
	req := guestOn("rich")
	req.Port.Bandwidth = &qos.Bandwidth{Inbound: &qos.Rate{Floor: schema.Num(100)}}
	var err error
	h.port, err = h.nets.CreatePort(ctx, req)
	require.NoError(t, err)
	s, err := h.nets.Lookup(ctx, "rich")
	require.NoError(t, err)
	h.uuid, h.whole = s.UUID.String(), h.String()
	return h
}

// breakages are what happens behind the library's back, the steps that are missing then, and the device that is lost.
var breakages = []struct {
	name    string
	breaks  func(h *repairHouse) error
	network []string
	port    []string
	lost    string
}{
	{"bridge gone", func(h *repairHouse) error { return h.undo(host.AddBridge{}) }, []string{
		"link add br1", "sysctl net/ipv6/conf/br1/disable_ipv6", "sysctl net/ipv6/conf/br1/accept_ra", "sysctl net/ipv6/conf/br1/autoconf", "tc shape add br1", "tc filter add dev br1 egress", "addr add 10.9.1.1/24", "addr add 2001:db8:1::1/64",
		"link set br1 up", "route add 10.77.0.0/16",
	}, []string{"link set vnet0 master br1", "tc class add dev br1"}, "br1"},
	{"address removed", func(h *repairHouse) error { return h.undo(host.AddAddr{}) }, []string{"addr add 10.9.1.1/24", "route add"}, nil, ""},
	{"route removed", func(h *repairHouse) error { return h.undo(host.AddRoute{}) }, []string{"route add 10.77.0.0/16"}, nil, ""},
	{"ruleset flushed", func(h *repairHouse) error { h.FlushFilters(); return nil }, []string{"nft filter of br1"}, nil, ""},
	{"rule deleted", func(h *repairHouse) error {
		filter := h.filter()
		less := filter
		less.From = less.From[1:]
		return h.Do(context.Background(), host.SetFilter{Network: h.uuid, Filter: less, Was: filter})
	}, []string{"nft filter of br1"}, nil, ""},
	{"forward deleted", func(h *repairHouse) error {
		filter := h.filter()
		less := filter
		less.Forwards = less.Forwards[1:]
		return h.Do(context.Background(), host.SetFilter{Network: h.uuid, Filter: less, Was: filter})
	}, []string{"nft filter of br1"}, nil, ""},
	{"checksums left", func(h *repairHouse) error { h.DropChecksums("br1"); return nil }, []string{"tc filter add dev br1 egress"}, nil, ""},
	{"qdisc gone", func(h *repairHouse) error { h.DropShape("br1"); return nil }, []string{"tc shape add br1"}, []string{"tc class add dev br1"}, ""},
	{"shape replaced", func(h *repairHouse) error {
		is := h.shape()
		other := is
		other.Egress.Burst++
		return h.Do(context.Background(), host.SetShape{Link: "br1", Shape: other, Was: is})
	}, []string{"tc shape add br1"}, nil, ""},
	{"dnsmasq killed", func(h *repairHouse) error { return h.KillServer(h.uuid) }, []string{"serve "}, nil, ""},
	{"no forwarding", func(h *repairHouse) error { return h.Do(context.Background(), host.DisableForwarding{}) }, []string{"sysctl net/ipv4/ip_forward=1"}, nil, ""},
	{"sysctl changed", func(h *repairHouse) error {
		return h.Do(context.Background(), host.SetSysctl{Key: "net/ipv6/conf/br1/accept_ra", Value: "1", Was: "0"})
	}, []string{"sysctl net/ipv6/conf/br1/accept_ra=0"}, nil, ""},
	{"bridge changed", func(h *repairHouse) error {
		is := h.step(host.AddBridge{}).(host.AddBridge)
		other := is
		other.STP, other.ForwardDelay = false, 0
		return h.Do(context.Background(), host.SetBridge{Bridge: other, Was: is})
	}, []string{"link add br1"}, nil, ""},
	{"port off its bridge", func(h *repairHouse) error { return h.undo(host.Plug{}) }, nil, []string{"link set vnet0 master br1"}, ""},
	{"port in another bridge", func(h *repairHouse) error {
		is := h.step(host.Plug{}).(host.Plug)
		return h.Do(context.Background(), host.SetPlug{Plug: host.Plug{Link: "vnet0", Bridge: "docker0"}, Was: is})
	}, nil, []string{"link set vnet0 master br1"}, ""},
	{"port with flags", func(h *repairHouse) error {
		is := h.step(host.Plug{}).(host.Plug)
		return h.Do(context.Background(), host.SetPlug{Plug: host.Plug{Link: "vnet0", Bridge: "br1", Isolated: true}, Was: is})
	}, nil, []string{"link set vnet0 master br1"}, ""},
	{"port down", func(h *repairHouse) error { return h.undo(host.SetUp{}) }, nil, []string{"link set vnet0 up"}, ""},
	{"port small", func(h *repairHouse) error {
		return h.Do(context.Background(), host.SetMTU{Link: "vnet0", MTU: 1300, Was: 1500})
	}, nil, []string{"tuntap add dev vnet0"}, ""},
	{"class gone", func(h *repairHouse) error { return h.undo(host.AddClass{}) }, nil, []string{"tc class add dev br1"}, ""},
}

// step finds the operation of that type which the network did, or the port.
func (h *repairHouse) step(like host.Op) host.Op {
	s, err := h.nets.Lookup(context.Background(), "rich")
	if err != nil {
		panic(err)
	}
	plan := s.Built
	switch like.(type) {
	case host.Plug, host.SetUp, host.AddTap, host.AddClass:
		plan = h.port.Built
	}
	for _, step := range plan {
		if reflect.TypeOf(step.Op) == reflect.TypeOf(like) {
			return step.Op
		}
	}
	panic("no such step")
}

func (h *repairHouse) undo(like host.Op) error {
	return h.Do(context.Background(), h.step(like).Inverse())
}

func (h *repairHouse) facts() *host.Facts {
	f, err := h.Facts(context.Background(), host.Scope{All: true})
	if err != nil {
		panic(err)
	}
	return f
}

func (h *repairHouse) filter() host.Filter { return h.facts().Filter(h.uuid) }
func (h *repairHouse) shape() host.Shape   { return h.facts().Shape("br1") }

// begins wants each step to begin with its line.
func begins(t testing.TB, want []string, plan host.Plan) {
	t.Helper()
	require.Len(t, plan, len(want), "%s", plan)
	for i, step := range plan {
		require.True(t, strings.HasPrefix(step.Op.String(), want[i]), "%s\nis not %s", step.Op, want[i])
	}
}

func TestCheckAndRepair(t *testing.T) {
	for _, c := range breakages {
		t.Run(c.name, func(t *testing.T) {
			ctx, h := t.Context(), newRepairHouse(t)
			drift, err := h.nets.Check(ctx)
			require.NoError(t, err)
			require.Empty(t, drift)

			require.NoError(t, c.breaks(h))
			broken, done := h.String(), len(h.Log())
			drift, err = h.nets.Check(ctx)
			require.NoError(t, err)
			drift = slices.DeleteFunc(drift, func(d network.Drift) bool { return d.Network == "net2" }) // what all have together
			dry, err := h.nets.Repair(ctx, network.RepairRequest{Network: "rich", DryRun: true})
			require.NoError(t, err)
			require.Equal(t, drift, dry)
			require.Equal(t, broken, h.String(), "a dry run")
			if c.network != nil {
				d := drift[0]
				drift = drift[1:]
				require.Equal(t, "rich", d.Network)
				require.True(t, d.Port.IsZero())
				require.Equal(t, c.lost, d.Lost)
				require.Empty(t, d.Left)
				begins(t, c.network, d.Missing)
			}
			if c.port != nil {
				d := drift[0]
				drift = drift[1:]
				require.Equal(t, h.port.Port.UUID, d.Port)
				require.Equal(t, "vnet0", d.Link)
				begins(t, c.port, d.Missing)
			}
			require.Empty(t, drift)

			repaired, err := h.nets.Repair(ctx, network.RepairRequest{})
			require.NoError(t, err)
			require.Equal(t, h.whole, h.String())
			var steps []host.Op
			for _, d := range repaired {
				for _, step := range d.Repair {
					steps = append(steps, step.Op)
				}
			}
			require.Equal(t, steps, h.Log()[done:], "exactly that was done")
			drift, err = h.nets.Check(ctx)
			require.NoError(t, err)
			require.Empty(t, drift)
		})
	}
}

// What belongs to others is neither taken for ours nor touched.
func TestRepairLeavesWhatIsOthers(t *testing.T) {
	ctx, h := t.Context(), newRepairHouse(t)
	for _, op := range []host.Op{
		host.AddAddr{Link: "br1", Prefix: netip.MustParsePrefix("10.99.0.1/24")},
		host.Plug{Link: "tap9", Bridge: "br1"},
		host.SetDown{Link: "docker0"},
		host.AddRoute{Link: "br1", Dest: netip.MustParsePrefix("10.98.0.0/16"), Gateway: netip.MustParseAddr("10.9.1.8"), Metric: 7},
	} {
		require.NoError(t, h.Do(ctx, op))
	}
	drift, err := h.nets.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, drift, "what was put beside is no drift")
	with := h.String()
	h.FlushFilters()
	require.NoError(t, h.KillServer(h.uuid))
	_, err = h.nets.Repair(ctx, network.RepairRequest{})
	require.NoError(t, err)
	require.Equal(t, with, h.String())

	// A bridge of somebody else in the place of ours.
	require.NoError(t, h.undo(host.AddBridge{}))
	require.NoError(t, h.Do(ctx, host.AddBridge{Link: "br1", MAC: host.MAC{2, 0, 0, 0, 7, 7}}))
	broken := h.String()
	drift, err = h.nets.Repair(ctx, network.RepairRequest{Network: "rich"})
	require.NoError(t, err)
	require.Equal(t, "br1", drift[0].Lost)
	require.Empty(t, drift[0].Repair)
	require.Equal(t, drift[0].Missing, drift[0].Left)
	require.Len(t, drift, 2)
	require.Equal(t, h.port.Port.UUID, drift[1].Port)
	require.Empty(t, drift[1].Repair, "no guest is plugged into it")
	require.Equal(t, drift[1].Missing, drift[1].Left)
	require.Equal(t, broken, h.String())
}

// The device of a guest that is gone is not made again: its guest has nothing to do with the new one.
func TestRepairLeavesLostGuests(t *testing.T) {
	ctx, h := t.Context(), newRepairHouse(t)
	require.NoError(t, h.undo(host.AddTap{}))
	broken := h.String()
	drift, err := h.nets.Repair(ctx, network.RepairRequest{})
	require.NoError(t, err)
	require.Len(t, drift, 1)
	require.Equal(t, "vnet0", drift[0].Lost)
	require.Equal(t, "device-lost network \"rich\" port "+h.port.Port.UUID.String()+" link vnet0, 3 steps missing", drift[0].String())
	require.Equal(t, drift[0].Missing, drift[0].Left)
	require.Equal(t, broken, h.String())
}

// Nor does Open plug a guest into a bridge that somebody else has put in the place of its own.
func TestOpenPlugsIntoNoStranger(t *testing.T) {
	ctx, h := t.Context(), newRepairHouse(t)
	require.NoError(t, h.undo(host.AddBridge{}))
	require.NoError(t, h.Do(ctx, host.AddBridge{Link: "br1", MAC: host.MAC{2, 0, 0, 0, 7, 7}}))
	nets := open(t, h, h.store)
	require.Equal(t, []string{"net2"}, names(t, nets), "it has lost its bridge")
	require.Empty(t, h.facts().Link("vnet0").Master)
}

// What cannot be repaired does not keep the rest from being.
func TestRepairGoesOn(t *testing.T) {
	ctx, h := t.Context(), newRepairHouse(t)
	h.FlushFilters()
	require.NoError(t, h.KillServer(h.uuid))
	require.NoError(t, h.undo(host.AddAddr{}))
	require.NoError(t, h.undo(host.Plug{}))
	told := errors.New("told to fail")
	h.Fail = func(op host.Op) error {
		switch op.(type) {
		case host.AddAddr, host.Plug:
			return told
		}
		return nil
	}
	drift, err := h.nets.Repair(ctx, network.RepairRequest{})
	require.ErrorIs(t, err, told)
	require.ErrorContains(t, err, `network "rich"`)
	var step *host.StepError
	require.ErrorAs(t, err, &step)
	require.Len(t, drift, 3)
	require.NotEmpty(t, h.filter().From)
	s, err := h.nets.Port(ctx, "rich", h.port.Port.UUID)
	require.NoError(t, err)
	require.Contains(t, s.Broken, "told to fail")
	h.Fail = nil
	_, err = h.nets.Repair(ctx, network.RepairRequest{})
	require.NoError(t, err)
	require.Equal(t, h.whole, h.String())
	s, err = h.nets.Port(ctx, "rich", h.port.Port.UUID)
	require.NoError(t, err)
	require.Empty(t, s.Broken)

	// Without the bridge nothing is tried that would stand on it.
	require.NoError(t, h.undo(host.AddBridge{}))
	broken := h.String()
	h.Fail = func(op host.Op) error {
		if _, ok := op.(host.AddBridge); ok {
			return told
		}
		return nil
	}
	_, err = h.nets.Repair(ctx, network.RepairRequest{})
	require.ErrorIs(t, err, told)
	require.Equal(t, broken, h.String())
}

// Who only looks opens the store without mending anything.
func TestOpenLeavesDrift(t *testing.T) {
	ctx, h := t.Context(), newRepairHouse(t)
	require.NoError(t, h.undo(host.Plug{}))
	require.NoError(t, h.undo(host.AddBridge{}))
	broken := h.String()
	nets, err := network.Config{LeaveDrift: true}.Open(ctx, h, h.store)
	require.NoError(t, err)
	require.Equal(t, broken, h.String())
	drift, err := nets.Check(ctx)
	require.NoError(t, err)
	require.Len(t, drift, 2)
	_, err = nets.Repair(ctx, network.RepairRequest{})
	require.NoError(t, err)
	require.Equal(t, h.whole, h.String())
}

func TestRepairRefuses(t *testing.T) {
	ctx, h := t.Context(), newRepairHouse(t)
	require.NoError(t, h.nets.Define(ctx, small(t, 3)))
	_, err := h.nets.Repair(ctx, network.RepairRequest{Network: "net3"})
	require.ErrorIs(t, err, network.ErrInactive)
	_, err = h.nets.Repair(ctx, network.RepairRequest{Network: "nobody"})
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, h.nets.Stop(ctx, "rich"))
	drift, err := h.nets.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, drift, "what does not run has not drifted")

	require.NoError(t, h.store.Save(ctx, "run/networks/net2", []byte("{")))
	_, err = h.nets.Check(ctx)
	require.ErrorContains(t, err, "store: run/networks/net2")
	h.store = network.Memory()
	nets := open(t, h, h.store)
	require.NoError(t, h.store.Save(ctx, "run/ports/x~nonsense", []byte(`{"instance":"boot 1","stage":"running","plan":[{"op":"SetUp","arg":{"Link":"none"}}]}`)))
	_, err = nets.Check(ctx)
	require.ErrorContains(t, err, "run/ports/x~nonsense")
}

// heal begins to heal.
func heal(t testing.TB, nets *network.Manager, h network.Healing) reader {
	t.Helper()
	return begin(t, func(ctx context.Context) events { return nets.Heal(ctx, h) })
}

func TestHeal(t *testing.T) {
	for _, c := range breakages {
		t.Run(c.name, func(t *testing.T) {
			h := newRepairHouse(t)
			w := heal(t, h.nets, network.Healing{Every: 20 * time.Millisecond})
			require.NoError(t, c.breaks(h))
			want := 0
			for _, missing := range [][]string{c.network, c.port} {
				if missing != nil {
					want++
				}
			}
			mended := 0
			for mended < want {
				e := w.next()
				if e.Network == "rich" && e.Kind == network.EventDriftMended {
					mended++
				}
			}
			if c.lost == "" && c.name != "ruleset flushed" && c.name != "no forwarding" {
				require.Equal(t, h.whole, h.String())
			}
			drift, err := h.nets.Check(t.Context())
			require.NoError(t, err)
			for _, d := range drift {
				require.Equal(t, "net2", d.Network, "%s", d.Missing) // on its way
			}
		})
	}
}

// What had drifted before is repaired first; the events are those of a watch and of repairs.
func TestHealTells(t *testing.T) {
	ctx, h := t.Context(), newRepairHouse(t)
	require.NoError(t, h.undo(host.AddRoute{}))
	w := heal(t, h.nets, network.Healing{FirstDelay: time.Minute, Every: time.Hour})
	w.wants(`drift-found network "rich", 1 steps missing`, `repaired network "rich", 1 steps`, `drift-mended network "rich"`)
	require.Equal(t, h.whole, h.String())

	// Again so soon: it waits. Others do not.
	require.NoError(t, h.undo(host.AddRoute{}))
	w.wants(`drift-found network "rich", 1 steps missing`)
	e := w.next()
	require.Equal(t, network.EventRepairDelayed, e.Kind)
	require.Positive(t, e.Wait)
	require.LessOrEqual(t, e.Wait, time.Minute)
	require.Contains(t, e.String(), `repair-delayed network "rich", next in `)
	port := ` network "rich" port ` + h.port.Port.UUID.String() + ` link vnet0`
	require.NoError(t, h.undo(host.Plug{}))
	w.wants("drift-found"+port+", 1 steps missing", "repaired"+port+", 1 steps", "drift-mended"+port)
	_, err := h.nets.Repair(ctx, network.RepairRequest{})
	require.NoError(t, err)
	w.wants(`repaired network "rich", 1 steps`, `drift-mended network "rich"`)
}

// Two programs that want different things do not keep the machine busy.
func TestHealDoesNotFight(t *testing.T) {
	h := newRepairHouse(t)
	var routes []time.Time
	h.Fail = func(op host.Op) error {
		if _, ok := op.(host.AddRoute); ok {
			routes = append(routes, time.Now())
			return errors.New("somebody else is against it")
		}
		return nil
	}
	const first = 10 * time.Millisecond
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	require.NoError(t, h.undo(host.AddRoute{}))
	var waits []time.Duration
	failures := 0
	for e, err := range h.nets.Heal(ctx, network.Healing{FirstDelay: first, MaxDelay: 4 * first}) {
		if err != nil {
			require.ErrorContains(t, err, "against it")
			require.Equal(t, "rich", e.Network)
			failures++
		}
		if e.Kind == network.EventRepairDelayed {
			if waits = append(waits, e.Wait); len(waits) == 5 {
				break
			}
		}
	}
	require.Equal(t, []time.Duration{first, 2 * first, 4 * first, 4 * first, 4 * first}, waits)
	require.Equal(t, 5, failures)
	require.GreaterOrEqual(t, len(routes), 5)
	for i, wait := range waits[:4] {
		require.GreaterOrEqual(t, routes[i+1].Sub(routes[i]), wait)
	}
	require.Zero(t, goroutines())
}

// What stood long enough is repaired at once again.
func TestHealForgets(t *testing.T) {
	h := newRepairHouse(t)
	w := heal(t, h.nets, network.Healing{FirstDelay: time.Hour, Stable: time.Nanosecond})
	for range 3 {
		require.NoError(t, h.undo(host.AddRoute{}))
		w.wants(`drift-found network "rich", 1 steps missing`, `repaired network "rich", 1 steps`, `drift-mended network "rich"`)
	}
}

// What cannot be repaired is left until its reason is gone.
func TestHealLeaves(t *testing.T) {
	ctx, h := t.Context(), newRepairHouse(t)
	require.NoError(t, h.nets.DeletePort(ctx, "rich", h.port.Port.UUID))
	whole := h.String()
	w := heal(t, h.nets, network.Healing{FirstDelay: time.Millisecond, Every: time.Millisecond})
	foreign := host.AddBridge{Link: "br1", MAC: host.MAC{2, 0, 0, 0, 7, 7}}
	h.Fail = func(op host.Op) error {
		if bridge, ok := op.(host.AddBridge); ok && bridge != foreign {
			return errors.New("not yet")
		}
		return nil
	}
	require.NoError(t, h.undo(host.AddBridge{}))
	require.NoError(t, h.Do(ctx, foreign))
	for {
		e, err, ok := w.pull()
		require.True(t, ok)
		if err == nil && e.Kind == network.EventDeviceLost {
			require.Equal(t, "br1", e.Link)
			break
		}
	}
	h.Fail = nil
	require.NoError(t, h.Do(ctx, foreign.Inverse()))
	for {
		e, _, ok := w.pull()
		require.True(t, ok)
		if e.Kind == network.EventDriftMended {
			break
		}
	}
	require.Equal(t, whole, h.String())
}

// Without a watcher everything is looked at from time to time, and nothing is left behind.
func TestHealWithoutWatcher(t *testing.T) {
	h := newRepairHouse(t)
	nets := open(t, blindMachine{h.Machine}, h.store)
	w := heal(t, nets, network.Healing{Every: time.Millisecond})
	require.NoError(t, h.undo(host.AddRoute{}))
	w.wants(`drift-found network "rich", 1 steps missing`, `repaired network "rich", 1 steps`, `drift-mended network "rich"`)
	w.stop()
	require.Zero(t, goroutines())
}
