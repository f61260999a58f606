// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
	"github.com/go-virtnet/virtnet/network/schema"
)

func parse(t testing.TB, text string) *network.Network {
	t.Helper()
	n, err := network.Parse(strings.NewReader(text))
	require.NoError(t, err)
	return n
}

// small is a NAT network number i, that nothing of another number is in the way of.
func small(t testing.TB, i int) *network.Network {
	t.Helper()
	return parse(t, fmt.Sprintf(`<network><name>net%d</name><forward/><bridge stp='off'/><ip address='10.9.%d.1' prefix='24'>
<dhcp><range start='10.9.%d.2' end='10.9.%d.99'/></dhcp></ip></network>`, i, i, i, i))
}

func open(t testing.TB, b host.Backend, s network.Store) *network.Manager {
	t.Helper()
	nets, err := network.Open(context.Background(), b, s)
	require.NoError(t, err)
	return nets
}

func names(t testing.TB, nets *network.Manager) []string {
	t.Helper()
	var list []string
	for s, err := range nets.All(context.Background()) {
		require.NoError(t, err)
		list = append(list, s.Name)
	}
	return list
}

func TestDefineChoosesOnce(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	require.NoError(t, m.AddLink("virbr0"))
	nets := open(t, m, network.Memory())
	n := small(t, 1)
	require.NoError(t, nets.Define(ctx, n))
	require.True(t, n.UUID.IsZero(), "the caller's document was changed")
	require.NoError(t, nets.Define(ctx, small(t, 2)))

	first, err := nets.Lookup(ctx, "net1")
	require.NoError(t, err)
	require.Equal(t, "virbr1", first.Definition.Bridge.Name, "virbr0 is a link of the host")
	require.False(t, first.UUID.IsZero())
	require.Equal(t, "52:54:00", first.Definition.MAC.Address.String()[:8])
	second, err := nets.Lookup(ctx, "net2")
	require.NoError(t, err)
	require.Equal(t, "virbr2", second.Definition.Bridge.Name, "virbr1 belongs to net1")

	require.NoError(t, nets.Define(ctx, small(t, 1)))
	again, err := nets.Lookup(ctx, "net1")
	require.NoError(t, err)
	require.Equal(t, first.UUID, again.UUID, "redefined without a uuid it stays the same network")
	require.Equal(t, []string{"net1", "net2"}, names(t, nets))
}

func TestDefineRefuses(t *testing.T) {
	ctx := t.Context()
	nets := open(t, hosttest.New(), network.Memory())
	require.NoError(t, nets.Define(ctx, parse(t, `<network><name>a</name><uuid>0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9</uuid><bridge name='br-a'/></network>`)))
	for name, c := range map[string]struct{ text, want string }{
		"uuid of another": {`<network><name>b</name><uuid>0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9</uuid></network>`,
			`/network/uuid: 0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9 belongs to network "a"`},
		"another uuid": {`<network><name>a</name><uuid>1a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9</uuid></network>`,
			`/network/uuid: network "a" has the uuid 0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9`},
		"bridge of another": {`<network><name>b</name><bridge name='br-a'/></network>`,
			`/network/bridge/@name: br-a belongs to network "a"`},
	} {
		err := nets.Define(ctx, parse(t, c.text))
		require.EqualError(t, err, c.want, name)
		require.ErrorIs(t, err, fs.ErrExist, name)
	}
	require.Equal(t, []string{"a"}, names(t, nets))
	var violations schema.Violations
	require.ErrorAs(t, nets.Define(ctx, &network.Network{}), &violations)
}

func TestUnknownNetwork(t *testing.T) {
	ctx := t.Context()
	nets := open(t, hosttest.New(), network.Memory())
	_, lookup := nets.Lookup(ctx, "x")
	_, plan := nets.Plan(ctx, "x")
	for what, err := range map[string]error{
		"start": nets.Start(ctx, "x"), "stop": nets.Stop(ctx, "x"), "undefine": nets.Undefine(ctx, "x"),
		"autostart": nets.SetAutostart(ctx, "x", true), "lookup": lookup, "plan": plan,
	} {
		require.ErrorIs(t, err, fs.ErrNotExist, what)
		require.EqualError(t, err, `network "x" is not defined`, what)
	}
}

func TestLifeOfANetwork(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	before := m.String()
	nets := open(t, m, network.Memory())

	// Transient: known as long as it runs.
	require.NoError(t, nets.Create(ctx, small(t, 1)))
	s, err := nets.Lookup(ctx, "net1")
	require.NoError(t, err)
	require.True(t, s.Active())
	require.False(t, s.Persistent())
	require.ErrorIs(t, nets.Create(ctx, small(t, 1)), network.ErrActive)
	require.ErrorIs(t, nets.SetAutostart(ctx, "net1", true), fs.ErrNotExist)
	require.NoError(t, nets.Stop(ctx, "net1"))
	require.Empty(t, names(t, nets))

	// Defined while it runs, and undefined while it runs.
	require.NoError(t, nets.Create(ctx, small(t, 1)))
	s, err = nets.Lookup(ctx, "net1")
	require.NoError(t, err)
	require.NoError(t, nets.Define(ctx, s.Live))
	s, err = nets.Lookup(ctx, "net1")
	require.NoError(t, err)
	require.True(t, s.Active() && s.Persistent())
	require.NoError(t, nets.Undefine(ctx, "net1"))
	require.Equal(t, []string{"net1"}, names(t, nets))
	require.NoError(t, nets.Stop(ctx, "net1"))
	require.Empty(t, names(t, nets))
	require.Equal(t, before, m.String())
}

func TestStopGoesByTheRecord(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	before := m.String()
	nets := open(t, m, network.Memory())
	require.NoError(t, nets.Define(ctx, small(t, 1)))
	require.NoError(t, nets.Start(ctx, "net1"))
	changed := small(t, 1)
	changed.Bridge.Name = "other0"
	changed.IPs = nil
	changed.Forward = nil
	require.NoError(t, nets.Define(ctx, changed))
	require.NoError(t, nets.Stop(ctx, "net1"))
	require.Equal(t, before, m.String())
	require.NoError(t, nets.Start(ctx, "net1"))
	require.Contains(t, m.String(), "link other0")
	require.NoError(t, nets.Stop(ctx, "net1"))
}

func TestAutostart(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	store := network.Memory()
	nets := open(t, m, store)
	for i := range 3 {
		require.NoError(t, nets.Define(ctx, small(t, i)))
	}
	require.NoError(t, nets.SetAutostart(ctx, "net0", true))
	require.NoError(t, nets.SetAutostart(ctx, "net2", true))
	require.NoError(t, nets.Autostart(ctx))
	require.NoError(t, nets.Autostart(ctx), "what runs already is no error")
	var active []string
	for s, err := range nets.All(ctx) {
		require.NoError(t, err)
		if s.Active() {
			active = append(active, s.Name)
		}
		require.Equal(t, s.Name != "net1", s.Autostart, s.Name)
	}
	require.Equal(t, []string{"net0", "net2"}, active)

	m.Reboot()
	nets = open(t, m, store)
	s, err := nets.Lookup(ctx, "net0")
	require.NoError(t, err)
	require.False(t, s.Active(), "a record of before the reboot counts for nothing")
	require.NoError(t, m.Do(ctx, host.AddBridge{Link: "virbr0", MAC: host.MAC{2, 1}}))
	err = nets.Autostart(ctx)
	require.ErrorIs(t, err, fs.ErrExist, "net0 cannot be started")
	require.Contains(t, err.Error(), `network "net0"`)
	s, err = nets.Lookup(ctx, "net2")
	require.NoError(t, err)
	require.True(t, s.Active(), "net2 is started all the same")
}

func TestConflictsAreFoundBeforeAnythingIsDone(t *testing.T) {
	ctx := t.Context()
	for name, c := range map[string]struct {
		prepare func(t *testing.T, m *hosttest.Machine)
		text    string
		want    string
	}{
		"bridge": {
			func(t *testing.T, m *hosttest.Machine) { require.NoError(t, m.AddLink("br0")) },
			`<network><name>n</name><bridge name='br0'/></network>`,
			"/network/bridge/@name: the host has a link br0 already",
		},
		"same subnet": {
			func(t *testing.T, m *hosttest.Machine) {
				require.NoError(t, m.Do(ctx, host.AddAddr{Link: "eth0", Prefix: netip.MustParsePrefix("10.1.1.5/24")}))
			},
			`<network><name>n</name><bridge name='br0'/><ip address='10.1.1.1' prefix='24'/></network>`,
			"/network/ip[1]: 10.1.1.0/24 overlaps an address of the host: 10.1.1.5/24 dev eth0",
		},
		"wider on a link": {
			func(t *testing.T, m *hosttest.Machine) {
				require.NoError(t, m.Do(ctx, host.AddAddr{Link: "eth0", Prefix: netip.MustParsePrefix("10.1.0.5/16")}))
			},
			`<network><name>n</name><bridge name='br0'/><ip address='10.2.1.1' prefix='24'/><ip address='10.1.1.1' prefix='24'/></network>`,
			"/network/ip[2]: 10.1.1.0/24 overlaps an address of the host: 10.1.0.5/16 dev eth0",
		},
		"IPv6": {
			func(t *testing.T, m *hosttest.Machine) {
				require.NoError(t, m.Do(ctx, host.AddAddr{Link: "eth0", Prefix: netip.MustParsePrefix("2001:db8::5/64")}))
			},
			`<network><name>n</name><bridge name='br0'/><ip family='ipv6' address='2001:db8::1' prefix='64'/></network>`,
			"/network/ip[1]: 2001:db8::/64 overlaps an address of the host: 2001:db8::5/64 dev eth0",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := hosttest.New("eth0")
			c.prepare(t, m)
			before := m.String()
			nets := open(t, m, network.Memory())
			require.NoError(t, nets.Define(ctx, parse(t, c.text)))
			err := nets.Start(ctx, "n")
			require.EqualError(t, err, c.want)
			require.ErrorIs(t, err, fs.ErrExist)
			require.Equal(t, before, m.String())
			s, err := nets.Lookup(ctx, "n")
			require.NoError(t, err)
			require.False(t, s.Active())
		})
	}
}

func TestTwoNetworksWithOneSubnet(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	nets := open(t, m, network.Memory())
	a, b := small(t, 1), small(t, 1)
	b.Name = "other"
	require.NoError(t, nets.Define(ctx, a))
	require.NoError(t, nets.Define(ctx, b))
	require.NoError(t, nets.Start(ctx, "net1"))
	require.ErrorIs(t, nets.Start(ctx, "other"), fs.ErrExist)
	require.NoError(t, nets.Stop(ctx, "net1"))
	require.NoError(t, nets.Start(ctx, "other"))
}

func TestForwardingIsGivenBackByTheLastUser(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	nets := open(t, m, network.Memory())
	for i := range 2 {
		require.NoError(t, nets.Define(ctx, small(t, i)))
		require.NoError(t, nets.Start(ctx, fmt.Sprintf("net%d", i)))
	}
	forwards := func() bool {
		f, err := m.Facts(ctx, host.Scope{Forwarding: true})
		require.NoError(t, err)
		return f.Forwarding.IPv4
	}
	require.True(t, forwards())
	require.NoError(t, nets.Stop(ctx, "net0"))
	require.True(t, forwards(), "net1 still needs it")
	require.NoError(t, nets.Stop(ctx, "net1"))
	require.False(t, forwards(), "it was off before")

	require.NoError(t, m.Do(ctx, host.EnableForwarding{}))
	require.NoError(t, nets.Start(ctx, "net0"))
	require.NoError(t, nets.Stop(ctx, "net0"))
	require.True(t, forwards(), "it was on before, so it is not ours to switch off")
}

func TestLeasesOutliveAStop(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	nets, err := network.Config{Now: func() time.Time { return now }}.Open(ctx, m, network.Memory())
	require.NoError(t, err)
	require.NoError(t, nets.Define(ctx, small(t, 1)))
	require.NoError(t, nets.Start(ctx, "net1"))
	s, err := nets.Lookup(ctx, "net1")
	require.NoError(t, err)
	ends := host.Lease{Addr: netip.MustParseAddr("10.9.1.7"), MAC: host.MAC{0x52, 0x54, 0, 0, 0, 7}, Expires: now.Add(time.Hour)}
	stays := host.Lease{Addr: netip.MustParseAddr("10.9.1.8"), MAC: host.MAC{0x52, 0x54, 0, 0, 0, 8}, Expires: now.Add(3 * time.Hour)}
	require.NoError(t, m.GiveLease(s.UUID.String(), ends))
	require.NoError(t, m.GiveLease(s.UUID.String(), stays))
	require.NoError(t, nets.Stop(ctx, "net1"))
	now = now.Add(2 * time.Hour)
	require.NoError(t, nets.Start(ctx, "net1"))
	leases, err := m.Leases(ctx, s.UUID.String())
	require.NoError(t, err)
	require.Equal(t, []host.Lease{stays}, leases)

	require.NoError(t, nets.Stop(ctx, "net1"))
	require.NoError(t, nets.Undefine(ctx, "net1"))
	require.NoError(t, nets.Define(ctx, small(t, 1)))
	require.NoError(t, nets.Start(ctx, "net1"))
	s, err = nets.Lookup(ctx, "net1")
	require.NoError(t, err)
	leases, err = m.Leases(ctx, s.UUID.String())
	require.NoError(t, err)
	require.Empty(t, leases, "another network of the same name")
}

func TestOpenMendsWhatRuns(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	before, store := m.String(), network.Memory()
	nets := open(t, m, store)
	require.NoError(t, nets.Define(ctx, small(t, 1)))
	require.NoError(t, nets.Start(ctx, "net1"))
	standing := m.String()
	s, err := nets.Lookup(ctx, "net1")
	require.NoError(t, err)

	m.FlushFilters()
	require.NoError(t, m.KillServer(s.UUID.String()))
	drift, err := nets.Plan(ctx, "net1")
	require.NoError(t, err)
	require.Len(t, drift, 2)
	open(t, m, store)
	require.Equal(t, standing, m.String())

	bridge := s.Built[slices.IndexFunc(s.Built, func(s host.Step) bool { _, ok := s.Op.(host.AddBridge); return ok })].Op
	require.NoError(t, m.Do(ctx, bridge.Inverse()))
	nets = open(t, m, store)
	s, err = nets.Lookup(ctx, "net1")
	require.NoError(t, err)
	require.False(t, s.Active(), "without its bridge it has ended")
	require.Equal(t, before, m.String())
}

func TestTenNetworksAtOnce(t *testing.T) {
	for kind, stores := range map[string][2]network.Store{
		"one store": func() [2]network.Store { s := network.Memory(); return [2]network.Store{s, s} }(),
		// Two stores on one folder share nothing in memory, as two programs would.
		"two stores on one folder": func() [2]network.Store { f := t.TempDir(); return [2]network.Store{network.Dir(f), network.Dir(f)} }(),
	} {
		t.Run(kind, func(t *testing.T) {
			ctx, m := t.Context(), hosttest.New("eth0")
			before := m.String()
			managers := []*network.Manager{open(t, m, stores[0]), open(t, m, stores[1])}
			var wg sync.WaitGroup
			for i := range 10 {
				wg.Go(func() {
					if err := liveAndDie(ctx, managers, small(t, i)); err != nil {
						t.Errorf("net%d: %v", i, err)
					}
				})
			}
			wg.Wait()
			require.Equal(t, before, m.String())
		})
	}
}

// liveAndDie takes one network through its life three times, by the hands of one manager or the other.
func liveAndDie(ctx context.Context, managers []*network.Manager, n *network.Network) error {
	any := func() *network.Manager { return managers[rand.IntN(len(managers))] }
	for range 3 {
		if err := any().Define(ctx, n); err != nil {
			return err
		}
		if err := any().Start(ctx, n.Name); err != nil {
			return err
		}
		owner := &network.Owner{Name: "guest"}
		p, err := any().CreatePort(ctx, network.PortRequest{Network: n.Name, Port: &network.Port{Owner: owner, MAC: &network.MAC{Address: schema.MAC{2}}}, Link: "vnet%d", Plan: tapOn})
		if err != nil {
			return err
		}
		if err := any().DeletePort(ctx, n.Name, p.Port.UUID); err != nil {
			return err
		}
		if err := any().Stop(ctx, n.Name); err != nil {
			return err
		}
		if err := any().Undefine(ctx, n.Name); err != nil {
			return err
		}
	}
	return nil
}

// tapOn plans a tap on the bridge of a port's plug.
func tapOn(p *network.Port, link string, _ *host.Facts) (host.Plan, error) {
	return host.Plan{
		{From: "/interface", Op: host.AddTap{Link: link, MAC: host.MAC{0xfe, 1, 2, 3, 4, 5}}},
		{From: "/interface/source", Op: host.Plug{Link: link, Bridge: p.Plug.Bridge.String()}},
	}, nil
}

func TestSecondStarterWins(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	s := network.Memory()
	managers := []*network.Manager{open(t, m, s), open(t, m, s)}
	require.NoError(t, managers[0].Define(ctx, small(t, 1)))
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() { errs[i] = managers[i%2].Start(ctx, "net1") })
	}
	wg.Wait()
	started := 0
	for _, err := range errs {
		if err == nil {
			started++
		} else if !errors.Is(err, network.ErrActive) {
			t.Error(err)
		}
	}
	require.Equal(t, 1, started)
}

func TestPorts(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	store := network.Memory()
	nets := open(t, m, store)
	require.NoError(t, nets.Define(ctx, small(t, 1)))
	req := network.PortRequest{
		Network: "net1",
		Port:    &network.Port{Owner: &network.Owner{Name: "web"}, MAC: &network.MAC{Address: schema.MAC{0x52, 0x54, 0, 0, 0, 1}}},
		Link:    "vnet%d",
		Plan:    tapOn,
	}
	_, err := nets.CreatePort(ctx, req)
	require.ErrorIs(t, err, network.ErrInactive)
	require.NoError(t, nets.Start(ctx, "net1"))
	started := m.String()
	first, err := nets.CreatePort(ctx, req)
	require.NoError(t, err)
	require.Equal(t, "vnet0", first.Link)
	require.Equal(t, "virbr0", first.Port.Plug.Bridge.String())
	require.True(t, req.Port.UUID.IsZero(), "the caller's port was changed")
	second, err := nets.CreatePort(ctx, req)
	require.NoError(t, err)
	require.Equal(t, "vnet1", second.Link)

	taken := req
	taken.Port = first.Port
	_, err = nets.CreatePort(ctx, taken)
	require.ErrorIs(t, err, fs.ErrExist)

	// A network that is stopped and started again has its ports again.
	attached := m.String()
	require.NoError(t, nets.Stop(ctx, "net1"))
	require.NotContains(t, m.String(), "master")
	require.NoError(t, nets.Start(ctx, "net1"))
	require.Equal(t, attached, m.String())
	var ids []schema.UUID
	for p, err := range nets.Ports(ctx, "net1") {
		require.NoError(t, err)
		ids = append(ids, p.Port.UUID)
	}
	require.ElementsMatch(t, []schema.UUID{first.Port.UUID, second.Port.UUID}, ids)

	// One whose device is gone has lost its guest.
	require.NoError(t, m.Do(ctx, second.Built[0].Op.Inverse()))
	nets = open(t, m, store)
	_, err = nets.Port(ctx, "net1", second.Port.UUID)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, nets.DeletePort(ctx, "net1", first.Port.UUID))
	require.ErrorIs(t, nets.DeletePort(ctx, "net1", first.Port.UUID), fs.ErrNotExist)
	require.Equal(t, started, m.String())
}

func TestPortThatFailsLeavesNothing(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	store := network.Memory()
	nets := open(t, m, store)
	require.NoError(t, nets.Create(ctx, small(t, 1)))
	before := m.String()
	broken := errors.New("broken")
	m.Fail = func(op host.Op) error {
		if _, ok := op.(host.Plug); ok {
			return broken
		}
		return nil
	}
	req := network.PortRequest{Network: "net1", Port: &network.Port{Owner: &network.Owner{Name: "web"}, MAC: &network.MAC{}}, Link: "vnet%d", Plan: tapOn}
	_, err := nets.CreatePort(ctx, req)
	require.ErrorIs(t, err, broken)
	require.EqualError(t, err, "/interface/source: link set vnet0 master virbr0: broken")
	require.Equal(t, before, m.String())
	left, err := store.List(ctx, "run/ports")
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestStateFolderHoldsNothingAfterwards(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	folder := t.TempDir()
	nets := open(t, m, network.Dir(folder))
	n := small(t, 1)
	n.Name = "odd name .. %d"
	require.NoError(t, nets.Define(ctx, n))
	require.NoError(t, nets.Start(ctx, n.Name))
	require.NoError(t, nets.Stop(ctx, n.Name))
	require.NoError(t, nets.Undefine(ctx, n.Name))
	for _, sub := range []string{"networks", "run/networks", "autostart", "leases"} {
		entries, err := os.ReadDir(folder + "/" + sub)
		if !errors.Is(err, fs.ErrNotExist) {
			require.NoError(t, err)
			require.Empty(t, entries, sub)
		}
	}
}

func TestPortsFollowTheirNetworkToAnotherBridge(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	nets := open(t, m, network.Memory())
	require.NoError(t, nets.Define(ctx, small(t, 1)))
	require.NoError(t, nets.Start(ctx, "net1"))
	owner := &network.Owner{Name: "web"}
	p, err := nets.CreatePort(ctx, network.PortRequest{Network: "net1", Port: &network.Port{Owner: owner, MAC: &network.MAC{Address: schema.MAC{2}}}, Link: "vnet%d", Plan: tapOn})
	require.NoError(t, err)
	require.NoError(t, nets.Stop(ctx, "net1"))
	moved := small(t, 1)
	moved.Bridge.Name = "other0"
	require.NoError(t, nets.Define(ctx, moved))
	require.NoError(t, nets.Start(ctx, "net1"))
	require.Contains(t, m.String(), "link vnet0 type tap mac fe:01:02:03:04:05 mtu 1500 master other0")
	now, err := nets.Port(ctx, "net1", p.Port.UUID)
	require.NoError(t, err)
	require.Equal(t, "other0", now.Port.Plug.Bridge.String())
	require.NoError(t, nets.DeletePort(ctx, "net1", p.Port.UUID))
}
