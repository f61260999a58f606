// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
	"github.com/go-virtnet/virtnet/network/schema"
)

func registered(t *testing.T, domain, more string) *network.Network {
	t.Helper()
	return parse(t, fmt.Sprintf(`<network><name>net1</name><uuid>8f1cd3a3-7a2e-4a4c-9a55-6a1e3f5c0001</uuid><bridge name='br1'/>`+
		`<mac address='52:54:00:00:00:01'/><domain name='%s' localOnly='yes' register='yes'/>%s</network>`, domain, more))
}

const twoIPs = `<ip family='ipv6' address='2001:db8:1::1' prefix='64'/><ip address='10.9.1.1' prefix='24'/>`

func TestPlanRegister(t *testing.T) {
	for more, want := range map[string]string{
		twoIPs: "resolver dns br1 2001:db8:1::1 domain ~lab.example  # /network/domain/@register\n",
		`<dns enable='no'/><ip address='10.9.1.1' prefix='24'/>`: "", // nobody could be asked
		``: "",
	} {
		plan, err := network.Plan(registered(t, "lab.example", more), &host.Facts{}, nil)
		require.NoError(t, err)
		got := ""
		for line := range strings.Lines(plan.String()) {
			if strings.HasPrefix(line, "resolver ") {
				got += strings.Join(strings.Fields(line), " ")
			}
		}
		require.Equal(t, strings.Join(strings.Fields(want), " "), got, more)
	}
}

// TestRegister starts a network with and without a resolver, with one that refuses, and as libvirt does it.
func TestRegister(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	nets := open(t, m, network.Memory())
	events := watch(t, nets)
	require.NoError(t, nets.Define(ctx, registered(t, "lab.example", twoIPs)))
	drifts := func(repairable bool) {
		t.Helper()
		found, err := nets.Check(ctx)
		require.NoError(t, err)
		require.Len(t, found, 1)
		require.Len(t, found[0].Missing, 1)
		require.IsType(t, host.Register{}, found[0].Missing[0].Op)
		require.Equal(t, repairable, len(found[0].Repair) == 1)
	}
	leftOut := func(why string) {
		t.Helper()
		for {
			if e := events.next(); e.Kind == network.EventLeftOut {
				require.Equal(t, "net1", e.Network)
				require.Equal(t, "/network/domain/@register: resolver dns br1 2001:db8:1::1 domain ~lab.example: "+why, e.Why)
				require.Contains(t, e.String(), `left-out network "net1": /network/domain/@register: `)
				return
			}
		}
	}
	require.NoError(t, nets.Start(ctx, "net1"))
	leftOut("the resolver does not run: unsupported operation")
	drifts(false)
	m.StartResolver()
	drifts(true)
	_, err := nets.Repair(ctx, network.RepairRequest{})
	require.NoError(t, err)
	require.Contains(t, m.String(), "resolver br1 servers [2001:db8:1::1] domains ~lab.example\n")
	require.NoError(t, nets.Stop(ctx, "net1"))
	require.NotContains(t, m.String(), "resolver br1")

	cause := errors.New("told to fail")
	m.Fail = func(op host.Op) error {
		if _, ok := op.(host.Register); ok {
			return cause
		}
		return nil
	}
	require.NoError(t, nets.Start(ctx, "net1"))
	leftOut("told to fail")
	drifts(true)
	_, err = nets.Repair(ctx, network.RepairRequest{})
	require.ErrorIs(t, err, cause)
	require.NoError(t, nets.Stop(ctx, "net1"))

	compat, err := network.Config{Rules: schema.Rules{Compat: true}}.Open(ctx, m, network.Memory())
	require.NoError(t, err)
	require.NoError(t, compat.Define(ctx, registered(t, "lab.example", twoIPs)))
	before := m.String()
	require.ErrorIs(t, compat.Start(ctx, "net1"), cause)
	require.Equal(t, before, m.String())
	m.StopResolver()
	err = compat.Start(ctx, "net1")
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorContains(t, err, "/network/domain/@register: the host has no resolver that could be told")
}

// TestRegisterNothing starts networks whose documents want the resolver to be told and have nobody whom it could ask.
func TestRegisterNothing(t *testing.T) {
	for more, want := range map[string]string{
		`<dns enable='no'/><ip address='10.9.1.1' prefix='24'/>`: "there is nobody to ask for the names: /network/dns/@enable is no",
		``: "there is nobody to ask for the names: the network has no <ip>",
	} {
		var told []network.Event
		m := hosttest.New("eth0")
		m.StartResolver()
		nets, err := network.Config{Tell: func(e network.Event) { told = append(told, e) }}.Open(t.Context(), m, network.Memory())
		require.NoError(t, err)
		require.NoError(t, nets.Define(t.Context(), registered(t, "lab.example", more)))
		require.NoError(t, nets.Start(t.Context(), "net1"))
		require.Len(t, told, 3)
		require.Equal(t, network.EventDefined, told[0].Kind)
		require.Equal(t, network.EventStarted, told[1].Kind)
		require.False(t, told[2].Time.IsZero())
		require.Equal(t, `left-out network "net1": /network/domain/@register: `+want, told[2].String())
		drift, err := nets.Check(t.Context())
		require.NoError(t, err)
		require.Empty(t, drift)
	}
}

// TestUpdateRegister changes the domain of a network that runs, with a resolver and without.
func TestUpdateRegister(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	m.StartResolver()
	nets := open(t, m, network.Memory())
	require.NoError(t, nets.Define(ctx, registered(t, "lab.example", twoIPs)))
	require.NoError(t, nets.Start(ctx, "net1"))
	update := func(n *network.Network) {
		t.Helper()
		_, err := nets.Update(ctx, "net1", network.UpdateRequest{Live: true, Document: n, Disruptive: true})
		require.NoError(t, err)
	}
	update(registered(t, "other.example", twoIPs))
	require.Contains(t, m.String(), "resolver br1 servers [2001:db8:1::1] domains ~other.example\n")
	found, err := nets.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, found)
	quiet := registered(t, "other.example", twoIPs)
	quiet.Domain.Register = schema.No
	update(quiet)
	require.NotContains(t, m.String(), "resolver br1")
	m.StopResolver()
	update(registered(t, "third.example", twoIPs))
	update(quiet)
	found, err = nets.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, found)
}
