// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/laws"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
)

func TestLawsOfMany(t *testing.T) {
	laws.RunMany(t, func(*testing.T) laws.World {
		m := hosttest.New("eth0")
		return laws.World{Backend: m, Snapshot: m.String}
	}, 1)
}

// Together networks become what they become one by one, by one look at the host.
func TestStartMany(t *testing.T) {
	ctx, m, store := t.Context(), hosttest.New("eth0"), network.Memory()
	nets := open(t, m, store)
	var all []string
	for i := range 5 {
		n := small(t, i)
		require.NoError(t, nets.Define(ctx, n))
		all = append(all, n.Name)
		require.NoError(t, nets.Start(ctx, n.Name))
	}
	oneByOne := m.String()
	for _, name := range all {
		require.NoError(t, nets.Stop(ctx, name))
	}
	looks := 0
	var events []string
	counted := &watchedMachine{Machine: m, looks: func(scope host.Scope) {
		if scope.Routes || len(scope.Links) > 0 {
			looks++
		}
	}}
	nets, err := network.Config{Tell: func(e network.Event) { events = append(events, e.Kind.String()+" "+e.Network) }}.Open(ctx, counted, store)
	require.NoError(t, err)
	require.NoError(t, nets.StartMany(ctx, append([]string{"net3", "net1"}, all...)...), "a name given twice counts once")
	require.Equal(t, oneByOne, m.String())
	require.Equal(t, 1, looks)
	require.Equal(t, []string{"started net0", "started net1", "started net2", "started net3", "started net4"}, events)
	require.NoError(t, nets.StartMany(ctx))
}

// What one network cannot have does not keep the others from running.
func TestStartManyTellsWhichCannot(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	nets := open(t, m, network.Memory())
	for i := range 4 {
		require.NoError(t, nets.Define(ctx, small(t, i)))
	}
	require.NoError(t, nets.Define(ctx, parse(t, `<network><name>net1too</name><ip address='10.9.1.1' prefix='24'/></network>`)))
	require.NoError(t, nets.Start(ctx, "net0"))
	require.NoError(t, m.AddLink("virbr3"))

	err := nets.StartMany(ctx, "net0", "net1", "net1too", "net2", "net3", "unknown")
	require.Equal(t, `network "net0": network "net0" is active
network "net1too": /network/ip: 10.9.1.0/24 overlaps 10.9.1.0/24 of network "net1"
network "net3": /network/bridge/@name: the host has a link virbr3 already
network "unknown": network "unknown" is not defined`, err.Error())
	for _, kind := range []error{network.ErrActive, fs.ErrExist, fs.ErrNotExist} {
		require.ErrorIs(t, err, kind)
	}
	var first *network.NetworkError
	require.ErrorAs(t, err, &first)
	require.Equal(t, "net0", first.Network)
	for name, active := range map[string]bool{"net0": true, "net1": true, "net1too": false, "net2": true, "net3": false} {
		s, err := nets.Lookup(ctx, name)
		require.NoError(t, err)
		require.Equal(t, active, s.Active(), name)
	}
}

// A picky store does not take some records, or claims.
type pickyStore struct {
	network.Store
	refuses string
}

var errDiskFull = errors.New("disk full")

func (s *pickyStore) Save(ctx context.Context, name string, data []byte) error {
	if s.refuses != "" && strings.HasPrefix(name, s.refuses) {
		return errDiskFull
	}
	return s.Store.Save(ctx, name, data)
}

func TestStartManyWithoutRoomForRecords(t *testing.T) {
	ctx := t.Context()
	for refuses, running := range map[string][]string{"run/networks/net1": {"net0", "net2"}, "run/host": nil, "run/networks": nil} {
		m, store := hosttest.New("eth0"), network.Memory()
		for i := range 3 {
			require.NoError(t, open(t, m, store).Define(ctx, small(t, i)))
		}
		before := m.String()
		picky := &pickyStore{Store: store}
		nets := open(t, m, picky)
		picky.refuses = refuses
		err := nets.StartMany(ctx, "net0", "net1", "net2")
		require.ErrorIs(t, err, errDiskFull, refuses)
		nets = open(t, m, store)
		for i := range 3 {
			s, err := nets.Lookup(ctx, fmt.Sprint("net", i))
			require.NoError(t, err)
			if s.Active() {
				require.Contains(t, running, s.Name, refuses)
				require.NoError(t, nets.Stop(ctx, s.Name))
			} else {
				require.NotContains(t, running, s.Name, refuses)
			}
		}
		require.Equal(t, before, strings.ReplaceAll(m.String(), "forwarding ipv4\n", ""), refuses)
	}
}
