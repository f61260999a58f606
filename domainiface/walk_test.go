// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/qos"
)

// TestWalk starts, stops, defines, undefines, updates, attaches, limits, moves and detaches in random order, with failures in between. After
// each step every running network is what was planned, and at the end the host is as it was.
func TestWalk(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			m := hosttest.New("eth0", "eth1")
			require.NoError(t, m.Do(t.Context(), host.SetDown{Link: "eth1"}))
			nets, err := network.Open(t.Context(), m, network.Memory())
			require.NoError(t, err)
			w := &walk{t: t, random: rand.New(rand.NewPCG(seed, 0)), machine: m, nets: nets, before: m.String()}
			for range 150 {
				w.step()
				w.settled()
			}
			w.end()
		})
	}
}

type walk struct {
	t       *testing.T
	random  *rand.Rand
	machine *hosttest.Machine
	nets    *network.Manager
	before  string
	ports   []*domainiface.Port
}

var errStumble = errors.New("stumbled")

// step does one thing, which may fail because of the state things are in, or because of an injected failure.
func (w *walk) step() {
	ctx, i := w.t.Context(), w.random.IntN(4)
	name := fmt.Sprintf("n%d", i)
	if w.random.IntN(4) == 0 {
		left := w.random.IntN(6)
		w.machine.Fail = func(host.Op) error {
			if left--; left == 0 {
				return errStumble
			}
			return nil
		}
	}
	var err error
	switch w.random.IntN(10) {
	case 0:
		err = w.nets.Define(ctx, w.document(i))
	case 1:
		err = w.nets.Undefine(ctx, name)
	case 2:
		err = w.nets.Start(ctx, name)
	case 3:
		err = w.nets.Stop(ctx, name)
	case 4:
		err = w.attach(name)
	case 5:
		err = w.detach()
	case 6:
		err = w.update(name)
	case 7:
		_, err = w.nets.Update(ctx, name, network.UpdateRequest{Document: w.document(i), Live: true, Disruptive: true})
	case 8:
		err = w.limit()
	case 9:
		err = w.move(name)
	}
	w.machine.Fail = nil
	allowances := []error{nil, errStumble, network.ErrActive, network.ErrInactive, network.ErrFull, network.ErrBusy, fs.ErrNotExist, fs.ErrExist, fs.ErrInvalid, errors.ErrUnsupported}
	for _, allowed := range allowances {
		if errors.Is(err, allowed) {
			return
		}
	}
	require.NoError(w.t, err)
}

// document is that of network number i, in one of two forms.
func (w *walk) document(i int) *network.Network {
	forward := [2]string{"<forward/>", "<forward mode='route'/>"}[w.random.IntN(2)]
	n, err := network.Parse(strings.NewReader(fmt.Sprintf(
		`<network><name>n%[1]d</name>%[2]s%[3]s<ip address='10.5.%[1]d.1' prefix='24'><dhcp><range start='10.5.%[1]d.2' end='10.5.%[1]d.9'/></dhcp></ip></network>`,
		i, forward, [2]string{"", "<bandwidth><inbound average='1000' peak='2000'/></bandwidth>"}[i%2])))
	require.NoError(w.t, err)
	return n
}

func (w *walk) attach(name string) error {
	text := "<interface type='network'><source network='" + name + "'/></interface>"
	if w.random.IntN(3) == 0 {
		mode := []string{"vepa", "bridge", "private", "passthrough"}[w.random.IntN(4)]
		text = "<interface type='direct'><source dev='" + []string{"eth0", "eth1"}[w.random.IntN(2)] + "' mode='" + mode + "'/></interface>"
	}
	port, err := domainiface.Attach(w.t.Context(), w.nets, domainiface.Guest{Name: "g"}, nic(w.t, text))
	if err == nil {
		w.ports = append(w.ports, port)
	}
	return err
}

func (w *walk) detach() error {
	if len(w.ports) == 0 {
		return nil
	}
	i := w.random.IntN(len(w.ports))
	if err := w.ports[i].Detach(w.t.Context()); err != nil {
		return err
	}
	w.ports = append(w.ports[:i], w.ports[i+1:]...)
	return nil
}

// update adds a host, a range or a record to a network, or takes one away.
func (w *walk) update(name string) error {
	command := []network.Command{network.CommandAddLast, network.CommandDelete}[w.random.IntN(2)]
	u := []network.Update{
		{Section: network.SectionDHCPHost, Command: command, XML: "<host mac='52:54:00:00:00:99' name='h' ip='10.5." + name[1:] + ".7'/>"},
		{Section: network.SectionDNSTXT, Command: command, XML: "<txt name='t' value='v'/>"},
		{Section: network.SectionPortGroup, Command: command, XML: "<portgroup name='g'/>"},
	}[w.random.IntN(3)]
	_, err := w.nets.Update(w.t.Context(), name, network.UpdateRequest{Updates: []network.Update{u}, Live: w.random.IntN(2) == 0})
	return err
}

// limit gives a guest other limits, and a floor where its network can have some.
func (w *walk) limit() error {
	if len(w.ports) == 0 {
		return nil
	}
	port := w.ports[w.random.IntN(len(w.ports))]
	rate := &qos.Rate{Average: schema.Num(uint64(w.random.IntN(3)) * 500)}
	if port.Network != "" && w.random.IntN(2) == 0 {
		rate.Average, rate.Floor = schema.Num(900), schema.Num(uint64(w.random.IntN(900)))
	}
	return port.SetBandwidth(w.t.Context(), rate, nil)
}

// move plugs a guest into another network, or isolates it on its own.
func (w *walk) move(name string) error {
	if len(w.ports) == 0 {
		return nil
	}
	text := "<interface type='network'><source network='" + name + "'/><port isolated='" + []string{"yes", "no"}[w.random.IntN(2)] + "'/></interface>"
	return w.ports[w.random.IntN(len(w.ports))].Update(w.t.Context(), nic(w.t, text))
}

// settled checks that what runs is what was planned, with every port that its network has.
func (w *walk) settled() {
	ctx := w.t.Context()
	for s, err := range w.nets.All(ctx) {
		require.NoError(w.t, err)
		if !s.Active() {
			continue
		}
		drift, err := w.nets.Plan(ctx, s.Name)
		require.NoError(w.t, err)
		require.Empty(w.t, drift, "%s has drifted", s.Name)
		w.stand(s.Name)
	}
	w.stand("")
}

// stand checks that the ports of a network are what was planned.
func (w *walk) stand(name string) {
	ctx := w.t.Context()
	for p, err := range w.nets.Ports(ctx, name) {
		require.NoError(w.t, err)
		if p.Deleting {
			continue // a failure was in the way, and it will be tried again
		}
		f, err := w.machine.Facts(ctx, p.Built.Scope())
		require.NoError(w.t, err)
		require.Empty(w.t, p.Built.Missing(f), "port %s of %s has drifted", p.Link, name)
	}
}

// end stops everything, and compares the host with what it was.
func (w *walk) end() {
	ctx := context.Background()
	for len(w.ports) > 0 {
		require.NoError(w.t, w.detach())
	}
	for i := range 4 {
		if err := w.nets.Stop(ctx, fmt.Sprintf("n%d", i)); !errors.Is(err, network.ErrInactive) && !errors.Is(err, fs.ErrNotExist) {
			require.NoError(w.t, err)
		}
	}
	// What guests share stays on.
	require.NoError(w.t, w.machine.Do(ctx, host.SetDown{Link: "eth1"}))
	require.Equal(w.t, w.before, w.machine.String())
}
