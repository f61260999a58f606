// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
	"github.com/go-virtnet/virtnet/network/schema"
)

// runs makes networks run on a machine, and returns their names.
func runs(t *testing.T, nets *network.Manager, count int) (all []string) {
	t.Helper()
	for i := range count {
		n := small(t, i)
		require.NoError(t, nets.Define(t.Context(), n))
		all = append(all, n.Name)
	}
	require.NoError(t, nets.StartMany(t.Context(), all...))
	return all
}

func TestStopMany(t *testing.T) {
	for _, discard := range []bool{false, true} {
		ctx, m := t.Context(), hosttest.New("eth0")
		before := m.String()
		var events []string
		config := network.Config{Discard: discard, Tell: func(e network.Event) { events = append(events, e.Kind.String()+" "+e.Network) }}
		nets, err := config.Open(ctx, m, network.Memory())
		require.NoError(t, err)
		all := runs(t, nets, 3)
		events = nil
		require.NoError(t, nets.StopMany(ctx, append([]string{"net2"}, all...)...), "a name given twice counts once")
		require.Equal(t, before, m.String())
		require.Equal(t, []string{"stopped net0", "stopped net1", "stopped net2"}, events)
		var kinds []string
		for _, op := range m.Log()[len(m.Log())-10:] {
			kinds = append(kinds, fmt.Sprintf("%T", op))
		}
		require.Equal(t, []string{
			"host.Unserve", "host.Unserve", "host.Unserve", "host.DelBridge", "host.DelBridge", "host.DelBridge",
			"host.SetFilter", "host.SetFilter", "host.SetFilter", "host.DisableForwarding",
		}, kinds, "what they have alike goes together")
		if discard {
			require.Equal(t, []string{"virbr0", "virbr1", "virbr2"}, m.Discarded(), "nobody has waited for them")
			require.NoError(t, nets.StartMany(ctx, all...), "the names can be had again at once")
			require.NoError(t, nets.Stop(ctx, "net0"))
			require.Equal(t, []string{"virbr0"}, m.Discarded())
			open(t, m, network.Memory())
		}
		require.Empty(t, m.Discarded())
		require.NoError(t, nets.StopMany(ctx))
	}
}

// What cannot be done with one network does not keep the others from being stopped.
func TestStopManyTellsWhichCannot(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	nets := open(t, m, network.Memory())
	runs(t, nets, 4)
	require.NoError(t, nets.Stop(ctx, "net0"))
	broken := errors.New("broken")
	m.Fail = func(op host.Op) error {
		if del, ok := op.(host.DelBridge); ok && del.Link == "virbr2" {
			return broken
		}
		return nil
	}
	err := nets.StopMany(ctx, "unknown", "net3", "net2", "net1", "net0")
	require.Equal(t, `network "net0": network "net0" is not active
network "net2": /network/bridge: link del virbr2 type bridge: broken
network "unknown": network "unknown" is not defined`, err.Error())
	for _, kind := range []error{network.ErrInactive, broken, fs.ErrNotExist} {
		require.ErrorIs(t, err, kind)
	}
	for name, active := range map[string]bool{"net1": false, "net3": false} {
		s, err := nets.Lookup(ctx, name)
		require.NoError(t, err)
		require.Equal(t, active, s.Active(), name)
	}
	m.Fail = nil
	require.NoError(t, nets.Stop(ctx, "net2"), "it is known what is left of it")
}

// Devices that do not go are an error of all who wait for them, and stay known.
func TestStopManyThatDoesNotSettle(t *testing.T) {
	ctx, m, store := t.Context(), hosttest.New("eth0"), network.Memory()
	before := m.String()
	nets := open(t, m, store)
	all := runs(t, nets, 2)
	stuck := errors.New("stuck")
	m.FailSettle = func() error { return stuck }
	err := nets.StopMany(ctx, all...)
	require.ErrorIs(t, err, stuck)
	require.ErrorContains(t, err, `link del virbr1 type bridge: stuck`)
	_, err = network.Open(ctx, m, store)
	require.ErrorIs(t, err, stuck, "whoever opens the store next is told")
	m.FailSettle = nil
	require.ErrorIs(t, nets.StopMany(ctx, all...), network.ErrInactive, "it has been taken back all the same")
	require.Equal(t, before, m.String())
}

func TestDeletePorts(t *testing.T) {
	for _, discard := range []bool{false, true} {
		h := newPortHouse(t)
		ctx := t.Context()
		before := h.state(t)
		var events []string
		nets, err := network.Config{Discard: discard, Hook: h.hook, Tell: func(e network.Event) { events = append(events, e.Kind.String()+" "+e.Link) }}.Open(ctx, h.Machine, h.store)
		require.NoError(t, err)
		var all []network.PortName
		for name, floor := range map[string]uint64{"floors": 100, "plain": 0, "cards": 0} {
			req := h.ask(name, floor)
			_, err := nets.CreatePort(ctx, req)
			require.NoError(t, err)
			all = append([]network.PortName{{Network: name, ID: req.Port.UUID}}, all...)
		}
		events, h.calls = nil, nil
		require.NoError(t, nets.DeletePorts(ctx, append(all, all[1])...), "a port given twice counts once")
		require.Equal(t, before, h.state(t))
		require.Len(t, h.calls, len(all))
		require.Len(t, events, len(all))
		require.Equal(t, discard, len(h.Discarded()) > 0)

		err = nets.DeletePorts(ctx, all[0])
		var one *network.PortError
		require.ErrorAs(t, err, &one)
		require.Equal(t, all[0], one.Port)
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.NoError(t, nets.DeletePorts(ctx))
	}
}

// A port that cannot be taken away does not keep the others from it, whatever step fails.
func TestDeletePortsFails(t *testing.T) {
	broken := errors.New("broken")
	for name, fail := range map[string]func(h *portHouse, link string){
		"device": func(h *portHouse, link string) {
			h.Fail = func(op host.Op) error {
				if tap, ok := op.(host.DelTap); ok && tap.Link == link {
					return broken
				}
				return nil
			}
		},
		"settle": func(h *portHouse, _ string) { h.FailSettle = func() error { return broken } },
		"hook":   func(h *portHouse, _ string) { h.refuse[network.PortUnplug.String()] = broken },
	} {
		t.Run(name, func(t *testing.T) {
			h := newPortHouse(t)
			before := h.state(t)
			var all []network.PortName
			var links []string
			for range 3 {
				req := h.ask("floors", 100)
				s, err := h.nets.CreatePort(t.Context(), req)
				require.NoError(t, err)
				all, links = append(all, network.PortName{Network: "floors", ID: req.Port.UUID}), append(links, s.Link)
			}
			fail(h, links[1])
			err := h.nets.DeletePorts(t.Context(), all...)
			require.ErrorIs(t, err, broken)
			require.ErrorContains(t, err, "port "+all[1].ID.String()+": ")
			if name == "device" {
				var left []schema.UUID
				for s, err := range h.nets.Ports(t.Context(), "floors") {
					require.NoError(t, err)
					require.True(t, s.Deleting)
					left = append(left, s.Port.UUID)
				}
				require.Equal(t, []schema.UUID{all[1].ID}, left)
			}
			h.Fail, h.FailSettle = nil, nil
			clear(h.refuse)
			h.open(t, h.Machine, h.store) // which takes the rest away
			require.Equal(t, before, h.state(t))
		})
	}
}
