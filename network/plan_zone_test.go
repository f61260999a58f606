// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
	"github.com/go-virtnet/virtnet/network/schema"
)

// inZone is a network in a zone, or in none that it names.
func inZone(t *testing.T, mode, zone string) *network.Network {
	t.Helper()
	if zone != "" {
		zone = " zone='" + zone + "'"
	}
	return parse(t, fmt.Sprintf(`<network><name>net1</name><uuid>8f1cd3a3-7a2e-4a4c-9a55-6a1e3f5c0001</uuid><forward mode='%s'/>`+
		`<bridge name='br1'%s/><mac address='52:54:00:00:00:01'/><ip address='10.9.1.1' prefix='24'/></network>`, mode, zone))
}

func TestPlanZone(t *testing.T) {
	running := host.Zones{Possible: true, Running: true, Names: []string{"home", "libvirt", "libvirt-routed", "public"}, Policies: []string{"libvirt-routed-out"}}
	taken, older, bare := running, running, running
	taken.Links = []host.ZonedLink{{Link: "br1", Zone: "public"}}
	older.Policies = nil
	bare.Names, bare.Policies = []string{"home", "public"}, nil
	for _, c := range []struct {
		name       string
		mode, zone string
		zones      host.Zones
		compat     bool
		want       string
		err        string
		is         error
	}{
		{name: "demanded", mode: "nat", zone: "home", zones: running, want: "zone home interface br1 (was none)  # /network/bridge/@zone"},
		{name: "demanded in mode open", mode: "open", zone: "home", zones: running, want: "zone home interface br1 (was none)  # /network/bridge/@zone"},
		{name: "moved", mode: "nat", zone: "home", zones: taken, want: "zone home interface br1 (was public)  # /network/bridge/@zone"},
		{name: "there already", mode: "nat", zone: "public", zones: taken, want: "zone public interface br1 (was public)  # /network/bridge/@zone"},
		{
			name: "no such zone", mode: "nat", zone: "hme", zones: bare, is: fs.ErrNotExist,
			err: "/network/bridge/@zone: firewalld has no zone hme, but home, public",
		},
		{
			name: "no firewalld", mode: "nat", zone: "home", zones: host.Zones{Possible: true}, is: errors.ErrUnsupported,
			err: "/network/bridge/@zone: zone home is one of firewalld, which does not run",
		},
		{
			name: "no bus", mode: "nat", zone: "home", is: errors.ErrUnsupported,
			err: "/network/bridge/@zone: zone home is one of firewalld, which does not run",
		},
		{name: "default", mode: "nat", zones: running, want: "zone libvirt interface br1 (was none) if there is one  # /network/bridge"},
		{name: "default of an isolated network", mode: "none", zones: running, want: "zone libvirt interface br1 (was none) if there is one  # /network/bridge"},
		{name: "default in mode route", mode: "route", zones: running, want: "zone libvirt-routed interface br1 (was none) if there is one  # /network/bridge"},
		{name: "default in mode route without the policy", mode: "route", zones: older, want: "zone libvirt interface br1 (was none) if there is one  # /network/bridge"},
		{name: "default in mode open", mode: "open", zones: running},
		{name: "default without bus", mode: "nat"},
		{name: "default that may come", mode: "nat", zones: host.Zones{Possible: true}, want: "zone libvirt interface br1 (was none) if there is one  # /network/bridge"},
		{name: "default that is not there", mode: "nat", zones: bare},
		{
			name: "default that is not there, as libvirt does it", mode: "nat", zones: bare, compat: true, is: fs.ErrNotExist,
			err: "/network/bridge: firewalld has no zone libvirt",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			plan, err := network.PlanAs(schema.Rules{Compat: c.compat}, inZone(t, c.mode, c.zone), &host.Facts{Zones: c.zones}, nil)
			if c.err != "" {
				require.ErrorIs(t, err, c.is)
				require.ErrorContains(t, err, c.err)
				return
			}
			require.NoError(t, err)
			var got string
			for line := range strings.Lines(plan.String()) {
				if strings.HasPrefix(line, "zone ") {
					got += strings.Join(strings.Fields(line), " ")
				}
			}
			require.Equal(t, strings.Join(strings.Fields(c.want), " "), got)
		})
	}
}

// TestZoneIsUndone puts a bridge back into the zone it was in before.
func TestZoneIsUndone(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	m.StartFirewalld("home", "public")
	require.NoError(t, m.Do(ctx, host.SetZone{Link: "br1", Zone: "public"}))
	before := m.String()
	nets := open(t, m, network.Memory())
	require.NoError(t, nets.Define(ctx, inZone(t, "none", "home")))
	require.NoError(t, nets.Start(ctx, "net1"))
	require.Contains(t, m.String(), "zone home interface br1\n")
	require.NoError(t, nets.Stop(ctx, "net1"))
	require.Equal(t, before, m.String())

	require.NoError(t, nets.Start(ctx, "net1"))
	m.StopFirewalld()
	require.NoError(t, nets.Stop(ctx, "net1"), "what it had is gone with it")
	require.ErrorIs(t, nets.Start(ctx, "net1"), errors.ErrUnsupported)
}

// TestZoneDrifts has firewalld end and come back, with and without the zone, under networks that demand a zone and that do not.
func TestZoneDrifts(t *testing.T) {
	for _, c := range []struct{ mode, zone, has string }{{"nat", "home", "home"}, {"nat", "", "libvirt"}, {"none", "", "libvirt"}} {
		t.Run(c.mode+" in "+c.has, func(t *testing.T) {
			ctx, m := t.Context(), hosttest.New("eth0")
			m.StartFirewalld("home", "libvirt", "public")
			nets := open(t, m, network.Memory())
			require.NoError(t, nets.Define(ctx, inZone(t, c.mode, c.zone)))
			require.NoError(t, nets.Start(ctx, "net1"))
			whole := m.String()
			drifts := func(repairable bool) {
				t.Helper()
				found, err := nets.Check(ctx)
				require.NoError(t, err)
				require.Len(t, found, 1)
				require.Len(t, found[0].Missing, 1)
				require.IsType(t, host.SetZone{}, found[0].Missing[0].Op)
				if repairable {
					require.Len(t, found[0].Repair, 1)
				} else {
					require.Equal(t, found[0].Missing, found[0].Left)
				}
			}
			none := func() {
				t.Helper()
				found, err := nets.Check(ctx)
				require.NoError(t, err)
				require.Empty(t, found)
			}
			repaired := func() {
				t.Helper()
				_, err := nets.Repair(ctx, network.RepairRequest{})
				require.NoError(t, err)
				require.Equal(t, whole, m.String())
				none()
			}
			none()
			m.StartFirewalld("home", "libvirt", "public")
			drifts(true)
			repaired()
			require.NoError(t, m.Do(ctx, host.SetZone{Link: "br1", Zone: "public", Was: c.has}))
			drifts(true)
			repaired()
			m.StopFirewalld()
			if c.zone == "" {
				none()
			} else {
				drifts(false)
			}
			m.StartFirewalld("public")
			if c.zone == "" {
				none()
			} else {
				drifts(false)
			}
			m.StartFirewalld("home", "libvirt", "public")
			drifts(true)
			repaired()
		})
	}
}

// TestZoneLater starts firewalld when a network that names no zone runs already.
func TestZoneLater(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	m.StopFirewalld()
	nets := open(t, m, network.Memory())
	require.NoError(t, nets.Define(ctx, inZone(t, "nat", "")))
	require.NoError(t, nets.Start(ctx, "net1"))
	found, err := nets.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, found)
	m.StartFirewalld("libvirt")
	_, err = nets.Repair(ctx, network.RepairRequest{})
	require.NoError(t, err)
	require.Contains(t, m.String(), "zone libvirt interface br1\n")
	require.NoError(t, nets.Stop(ctx, "net1"))
	require.NotContains(t, m.String(), "interface br1")
}

// TestUpdateZone moves the bridge of a network that runs from zone to zone, to another name, and out.
func TestUpdateZone(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	m.StartFirewalld("home", "work", "public")
	require.NoError(t, m.Do(ctx, host.SetZone{Link: "br1", Zone: "public"}))
	nets := open(t, m, network.Memory())
	require.NoError(t, nets.Define(ctx, inZone(t, "nat", "home")))
	require.NoError(t, nets.Start(ctx, "net1"))
	update := func(n *network.Network) *network.UpdatePlan {
		t.Helper()
		p, err := nets.Update(ctx, "net1", network.UpdateRequest{Live: true, Document: n, Disruptive: true})
		require.NoError(t, err)
		return p
	}
	require.Empty(t, update(inZone(t, "nat", "home")).Changes)
	p := update(inZone(t, "nat", "work"))
	require.Len(t, p.Changes, 1)
	require.Equal(t, "other rules of firewalld apply to guests", p.Changes[0].Disruptive)
	require.Contains(t, m.String(), "zone work interface br1\n")
	update(inZone(t, "nat", ""))
	require.Contains(t, m.String(), "zone public interface br1\n", "where it was before")
	update(inZone(t, "nat", "home"))
	other := inZone(t, "nat", "home")
	other.Bridge.Name = "br2"
	update(other)
	require.Contains(t, m.String(), "zone public interface br1\nzone home interface br2\n")
	require.NoError(t, nets.Stop(ctx, "net1"))
	require.NotContains(t, m.String(), "br2")
}
