// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"context"
	"errors"
	"io/fs"
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

// A watchedMachine tells when somebody is about to look at it, and when he has.
type watchedMachine struct {
	*hosttest.Machine
	looks, looked func(host.Scope)
}

func (m *watchedMachine) Facts(ctx context.Context, scope host.Scope) (*host.Facts, error) {
	if m.looks != nil {
		m.looks(scope)
	}
	f, err := m.Machine.Facts(ctx, scope)
	if m.looked != nil {
		m.looked(scope)
	}
	return f, err
}

// A watchedStore tells when somebody wants a lock, and when he has it.
type watchedStore struct {
	network.Store
	wanted, taken func(name string)
}

func (s *watchedStore) Lock(ctx context.Context, name string) (func(), error) {
	if s.wanted != nil {
		s.wanted(name)
	}
	release, err := s.Store.Lock(ctx, name)
	if err == nil && s.taken != nil {
		s.taken(name)
	}
	return release, err
}

// guestOn asks for a port with a tap of 1500 bytes.
func guestOn(name string) network.PortRequest {
	return network.PortRequest{
		Network: name,
		Port:    &network.Port{Owner: &network.Owner{Name: "web"}, MAC: &network.MAC{Address: schema.MAC{0x52, 0x54, 0, 0, 0, 1}}},
		Link:    "vnet%d",
		Plan: func(p *network.Port, link string, _ *host.Facts) (host.Plan, error) {
			return host.Plan{
				{From: "/interface", Op: host.AddTap{Link: link, MAC: host.MAC{0xfe, 1, 2, 3, 4, 5}, MTU: 1500}},
				{From: "/interface/source", Op: host.Plug{Link: link, Bridge: p.Plug.Bridge.String()}},
				{From: "/interface", Op: host.SetUp{Link: link}},
			}, nil
		},
	}
}

// What somebody changed of a device that is there is no reason to take the device away from its guests: it is put right,
// and what was left open stays as it is.
func TestOpenPutsChangedDevicesRight(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	store := network.Memory()
	nets := open(t, m, store)
	require.NoError(t, nets.Define(ctx, small(t, 1)))
	require.NoError(t, nets.Start(ctx, "net1"))
	port, err := nets.CreatePort(ctx, guestOn("net1"))
	require.NoError(t, err)
	require.NoError(t, m.Do(ctx, host.SetMTU{Link: "virbr0", MTU: 1400, Was: 1500}))
	changed := m.String()
	require.NoError(t, m.Do(ctx, host.SetMTU{Link: "vnet0", MTU: 1400, Was: 1500}))
	m.FlushFilters()
	require.NoError(t, m.Do(ctx, host.SetDown{Link: "vnet0"}))

	nets = open(t, m, store)
	require.Equal(t, changed, m.String())
	_, err = nets.Port(ctx, "net1", port.Port.UUID)
	require.NoError(t, err)
	require.NoError(t, nets.DeletePort(ctx, "net1", port.Port.UUID))
	require.NoError(t, nets.Stop(ctx, "net1"))
}

// A program that dies while another one opens the store may leave a network half stopped that was whole a moment ago.
func TestOpenSeesWhatChangesMeanwhile(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	before, store := m.String(), network.Memory()
	other := open(t, m, store)
	require.NoError(t, other.Create(ctx, small(t, 1)))
	broken := errors.New("broken")
	stop := sync.OnceFunc(func() {
		m.Fail = func(op host.Op) error {
			if _, ok := op.(host.DelBridge); ok {
				return broken
			}
			return nil
		}
		require.ErrorIs(t, other.Stop(ctx, "net1"), broken)
		m.Fail = nil
	})
	nets := open(t, &watchedMachine{Machine: m, looks: func(scope host.Scope) {
		if len(scope.Servers) > 0 {
			stop()
		}
	}}, store)
	require.Empty(t, names(t, nets))
	require.Equal(t, before, m.String())
}

// A network that is stopped while another program opens the store and plugs its guest in again.
func TestOpenWaitsForWhoStops(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	store := network.Memory()
	wanted := make(chan string, 100)
	other := open(t, m, &watchedStore{Store: store, wanted: func(name string) { wanted <- name }})
	require.NoError(t, other.Define(ctx, small(t, 1)))
	require.NoError(t, other.Start(ctx, "net1"))
	_, err := other.CreatePort(ctx, guestOn("net1"))
	require.NoError(t, err)
	attached := m.String()
	require.NoError(t, m.Do(ctx, host.Unplug{Link: "vnet0", Bridge: "virbr0"}))

	stopped := make(chan error, 1)
	stop := sync.OnceFunc(func() {
		for len(wanted) > 0 {
			<-wanted
		}
		go func() { stopped <- other.Stop(ctx, "net1") }()
		require.Equal(t, "networks/net1", <-wanted)
		select {
		case err := <-stopped: // before the guest is plugged in
			stopped <- err
		case <-time.After(20 * time.Millisecond): // it has to wait
		}
	})
	open(t, &watchedMachine{Machine: m, looked: func(scope host.Scope) {
		if slices.Contains(scope.Links, "vnet0") {
			stop()
		}
	}}, store)
	require.NoError(t, <-stopped)
	require.NoError(t, other.Start(ctx, "net1"))
	require.Equal(t, attached, m.String())
}

// Whoever asks for a port that exists does not stand in the way of a start that plugs it in again.
func TestPortThatExistsBlocksNobody(t *testing.T) {
	m := hosttest.New("eth0")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	store := network.Memory()
	wanted := make(chan string, 100)
	other := open(t, m, &watchedStore{Store: store, wanted: func(name string) { wanted <- name }})
	require.NoError(t, other.Define(ctx, small(t, 1)))
	require.NoError(t, other.Start(ctx, "net1"))
	req := guestOn("net1")
	port, err := other.CreatePort(ctx, req)
	require.NoError(t, err)
	lock := "ports/" + port.Port.UUID.String()

	started := make(chan error, 1)
	restart := func(string) {}
	nets := open(t, m, &watchedStore{Store: store, taken: func(name string) { restart(name) }})
	restart = func(name string) {
		if name != lock {
			return
		}
		require.NoError(t, other.Stop(ctx, "net1"))
		for len(wanted) > 0 {
			<-wanted
		}
		go func() { started <- other.Start(ctx, "net1") }()
		for <-wanted != lock {
			continue
		}
	}
	req.Port = port.Port
	_, err = nets.CreatePort(ctx, req)
	require.ErrorIs(t, err, fs.ErrExist)
	require.NoError(t, <-started)
}

// A network that runs is the same one when it is defined, also if it was started without a definition.
func TestDefineWhatRuns(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	nets := open(t, m, network.Memory())
	require.NoError(t, nets.Create(ctx, small(t, 1)))
	live, err := nets.Lookup(ctx, "net1")
	require.NoError(t, err)
	require.NoError(t, nets.Define(ctx, small(t, 1)))
	s, err := nets.Lookup(ctx, "net1")
	require.NoError(t, err)
	require.Equal(t, live.UUID, s.Definition.UUID)

	require.NoError(t, nets.Undefine(ctx, "net1"))
	another := small(t, 1)
	another.UUID, err = schema.ParseUUID("01020300-0000-0000-0000-000000000000")
	require.NoError(t, err)
	err = nets.Define(ctx, another)
	require.ErrorIs(t, err, fs.ErrExist)
	require.ErrorContains(t, err, "/network/uuid: network \"net1\" has the uuid "+live.UUID.String())
	require.NoError(t, nets.Stop(ctx, "net1"))
	require.NoError(t, nets.Define(ctx, another))
}

// A forgetful machine cannot tell its leases.
type forgetfulMachine struct{ *hosttest.Machine }

var errForgotten = errors.New("the file of the leases is damaged")

func (forgetfulMachine) Leases(context.Context, string) ([]host.Lease, error) {
	return nil, errForgotten
}

// Leases that cannot be read do not keep a network from being stopped.
func TestStopWithoutLeases(t *testing.T) {
	ctx, m := t.Context(), hosttest.New("eth0")
	before := m.String()
	nets := open(t, forgetfulMachine{m}, network.Memory())
	require.NoError(t, nets.Define(ctx, small(t, 1)))
	require.NoError(t, nets.Start(ctx, "net1"))
	err := nets.Stop(ctx, "net1")
	require.ErrorIs(t, err, errForgotten)
	require.True(t, strings.Contains(err.Error(), "net1") && strings.Contains(err.Error(), "stopped"), err)
	require.Equal(t, before, m.String())
	require.NoError(t, nets.Start(ctx, "net1"))
}
