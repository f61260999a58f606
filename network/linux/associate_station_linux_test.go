// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/internal/lldp"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/internal/vdp"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
)

// A playedSwitch is one in a test's hands.
type playedSwitch struct {
	ns, outside *testenv.Namespace
	b           *linux.Backend
	lldp, vdp   *plug
}

func newPlayedSwitch(t *testing.T) *playedSwitch {
	testenv.NeedRoot(t)
	b, ns, outside := withCard(t)
	p := playSwitch(t, outside)
	p.b, p.ns = b, ns
	return p
}

// playSwitch plays it at the card eth0 of a namespace.
func playSwitch(t *testing.T, outside *testenv.Namespace) *playedSwitch {
	return &playedSwitch{
		outside: outside, lldp: newPlug(t, outside, "eth0", lldp.EtherType), vdp: newPlug(t, outside, "eth0", vdp.EtherType),
	}
}

// introduce answers stations as a bridge that says this, until the test ends.
func (p *playedSwitch) introduce(unit lldp.Unit) {
	unit.Chassis, unit.Port, unit.TTL = lldp.ChassisID{Kind: 7, ID: "rack 4"}, lldp.PortID{Kind: 5, ID: "ge-0/0/1"}, 100
	go func() {
		for p.lldp.receive() != nil {
			p.lldp.send(lldp.NearestCustomerBridge, unit.Append(nil))
		}
	}()
}

var bridgeUnit = lldp.Unit{EVB: &lldp.EVB{Role: lldp.Bridge}}

// answer acknowledges what stations say, and answers as is said, until the test ends. An answer of mode 0 is none.
func (p *playedSwitch) answer(as func(vdp.VSI) vdp.VSI) {
	go func() {
		sequence := uint16(0)
		for {
			payload := p.vdp.receive()
			if payload == nil {
				return
			}
			m, err := vdp.Parse(payload)
			if err != nil || m.Ack {
				continue
			}
			p.vdp.send(vdp.Group, vdp.Message{Ack: true, Sequence: m.Sequence}.Append(nil))
			for _, v := range m.VSIs {
				if v = as(v); v.Mode != 0 {
					sequence++
					p.vdp.send(vdp.Group, vdp.Message{Sequence: sequence, VSIs: []vdp.VSI{v}}.Append(nil))
				}
			}
		}
	}()
}

// TestSwitchRefuses has switches that do not take a guest, in each way that they can.
func TestSwitchRefuses(t *testing.T) {
	t.Parallel()
	granted := func(v vdp.VSI) vdp.VSI { v.Status = vdp.Answer; return v }
	for _, c := range []struct {
		name string
		play func(*playedSwitch)
		err  error
		want string
	}{
		{"no switch", func(*playedSwitch) {}, errors.ErrUnsupported, "association of eth0: no switch there says that it associates guests: unsupported operation"},
		{"a switch of the draft", func(p *playedSwitch) {
			p.introduce(lldp.Unit{Draft: &lldp.Draft{Supported: lldp.Abilities{VDP: true}}})
		}, errors.ErrUnsupported, "association of eth0: the switch there speaks a draft of 802.1Qbg, for which lldpad is needed: unsupported operation"},
		{"a switch that hears nothing", func(p *playedSwitch) { p.introduce(bridgeUnit) }, os.ErrDeadlineExceeded, "association of eth0: the switch acknowledges nothing: i/o timeout"},
		{"a switch without resources", func(p *playedSwitch) {
			p.introduce(bridgeUnit)
			p.answer(func(v vdp.VSI) vdp.VSI {
				v.Mode, v.Status = vdp.Disassociate, vdp.Answer|2
				return v
			})
		}, host.ErrRefused, "association of eth0: refused by the switch: it lacks resources (code 0x2)"},
		{"a switch that does not say why", func(p *playedSwitch) {
			p.introduce(bridgeUnit)
			p.answer(func(v vdp.VSI) vdp.VSI { v.Mode = vdp.Disassociate; return v })
		}, host.ErrRefused, "association of eth0: refused by the switch: a reason of its own (code 0x0)"},
		{"a switch that takes it", func(p *playedSwitch) { p.introduce(bridgeUnit); p.answer(granted) }, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if testing.Short() && errors.Is(c.err, errors.ErrUnsupported) {
				t.Skip("waits ten seconds for a switch")
			}
			t.Parallel()
			p := newPlayedSwitch(t)
			c.play(p)
			err := p.b.Do(t.Context(), host.Associate{VSI: vsi})
			f, lookErr := p.b.Facts(t.Context(), host.Associate{VSI: vsi}.Scope())
			require.NoError(t, lookErr)
			if c.err == nil {
				require.NoError(t, err)
				require.Len(t, f.Associations, 1)
				return
			}
			require.ErrorIs(t, err, c.err)
			require.EqualError(t, err, c.want)
			require.Empty(t, f.Associations)
		})
	}
}

// TestAssociateTogether has several tell the switch of a guest while it thinks about what the first one said. They wait for him, as
// long as they want to.
func TestAssociateTogether(t *testing.T) {
	t.Parallel()
	p := newPlayedSwitch(t)
	asked, think := make(chan struct{}), make(chan struct{})
	p.introduce(bridgeUnit)
	first := sync.OnceFunc(func() { close(asked); <-think })
	p.answer(func(v vdp.VSI) vdp.VSI { first(); v.Status = vdp.Answer; return v })
	op := host.Associate{VSI: vsi}
	results := make(chan error, 2)
	go func() { results <- p.b.Do(t.Context(), op) }()
	<-asked
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, p.b.Do(ctx, op), context.DeadlineExceeded)
	go func() { results <- p.b.Do(t.Context(), op) }()
	close(think)
	var failed []error
	for range 2 {
		if err := <-results; err != nil {
			failed = append(failed, err)
		}
	}
	require.Len(t, failed, 1)
	require.ErrorIs(t, failed[0], fs.ErrExist)
	do(t, p.b, op.Inverse())
}

// TestKilledWhileSwitchThinks kills a program that has asked for an association, which the switch grants only then: the next
// program finds what nobody wants any more, and takes it back.
func TestKilledWhileSwitchThinks(t *testing.T) {
	needAgent(t)
	t.Parallel()
	for name, teller := range tellers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &attachWorld{killWorld: newKillWorld(t, ""), document: strings.Replace(guestAtSwitch, "eth0", networkCard, 1)}
			outside := testenv.New(t)
			testenv.Connect(t, w.ns, outside, networkCard, "eth0")
			asked, killed := make(chan struct{}), make(chan struct{})
			granted := make(chan vdp.Mode, 100)
			p := playSwitch(t, outside)
			p.introduce(bridgeUnit)
			p.answer(func(v vdp.VSI) vdp.VSI {
				if granted <- v.Mode; len(granted) == 1 {
					close(asked)
					<-killed
				}
				v.Status = vdp.Answer
				return v
			})
			w.tell(teller)
			cmd := w.attacher(-1)
			require.NoError(t, cmd.Start())
			w.endsWithTheTest(cmd)
			<-asked
			require.NoError(t, cmd.Process.Kill())
			w.requireKilled(cmd.Wait(), nil)
			time.AfterFunc(100*time.Millisecond, func() { close(killed) }) // so that who comes has to wait

			b, err := linux.Open(w.config())
			require.NoError(t, err)
			defer b.Close()
			nets, err := network.Open(t.Context(), b, network.Dir(filepath.Join(w.folder, "state")))
			require.NoError(t, err)
			for port, err := range nets.Ports(t.Context(), "") {
				t.Fatal(port, err)
			}
			f, err := b.Facts(t.Context(), host.Scope{Associations: []string{networkCard}})
			require.NoError(t, err)
			require.Empty(t, f.Associations)
			left, err := os.ReadDir(filepath.Join(w.folder, "run", ".vsi"))
			require.NoError(t, err)
			require.Empty(t, left)
			last := vdp.Mode(0)
			for len(granted) > 0 {
				last = <-granted
			}
			require.Equal(t, vdp.Disassociate, last)
		})
	}
}

// TestCardGoes takes the card away from under an associated guest, whom a watcher sees go. Another card of that name has a station of
// its own.
func TestCardGoes(t *testing.T) {
	t.Parallel()
	p := newPlayedSwitch(t)
	p.introduce(bridgeUnit)
	p.answer(func(v vdp.VSI) vdp.VSI { v.Status = vdp.Answer; return v })
	op := host.Associate{VSI: vsi}
	do(t, p.b, op)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for c, err := range p.b.Watch(ctx) {
		require.NoError(t, err)
		switch c.Kind {
		case host.Anything:
			p.ns.Output(t, "ip", "link", "del", "eth0")
		case host.AssociationChanged:
			require.Equal(t, "eth0", c.Name)
			cancel()
		}
	}
	require.ErrorIs(t, p.b.Do(t.Context(), op), fs.ErrNotExist)
	do(t, p.b, op.Inverse())
	requireNoStation(t, p.ns)
}

// packetSockets are those of a namespace that get what is not for the machine, and the names of its stations.
func packetSockets(t *testing.T, ns *testenv.Namespace) (lines []string) {
	t.Helper()
	for line := range strings.Lines(ns.Output(t, "cat", "/proc/net/packet", "/proc/net/unix")) {
		if strings.Contains(line, "virtnet") || strings.Contains(line, " 8940 ") || strings.Contains(line, " 88cc ") {
			lines = append(lines, line)
		}
	}
	return lines
}

// requireNoStation wants nothing of a station to be there, but for what a process that is just being started has a copy of.
func requireNoStation(t *testing.T, ns *testenv.Namespace) {
	t.Helper()
	testenv.WaitFor(t, 10*time.Second, "the end of what a station has", func() bool { return len(packetSockets(t, ns)) == 0 })
}

// TestStationEnds wants nothing to be left of a station when its backend is closed.
func TestStationEnds(t *testing.T) {
	t.Parallel()
	p := newPlayedSwitch(t)
	p.introduce(bridgeUnit)
	p.answer(func(v vdp.VSI) vdp.VSI { v.Status = vdp.Answer; return v })
	b, err := linux.Open(linux.Config{Namespace: p.ns.Path(), RunDir: t.TempDir(), Agent: linux.Native})
	require.NoError(t, err)
	do(t, b, host.Associate{VSI: vsi})
	require.Len(t, packetSockets(t, p.ns), 3)
	require.NoError(t, b.Close())
	requireNoStation(t, p.ns)
}

// TestOneStation has a second program at a card: it sees what the first one has done, can do nothing, and goes on with that
// when the first one has ended.
func TestOneStation(t *testing.T) {
	t.Parallel()
	f := newFabric(t, linux.Native)
	op := host.Associate{VSI: vsi}
	do(t, f.b, op)
	first := f.b
	f.open()
	f.requireKnown("to another program")
	err := f.b.Do(t.Context(), op.Inverse())
	require.ErrorIs(t, err, fs.ErrExist)
	require.ErrorContains(t, err, "another program is the station there")
	other := op
	other.Instance[0]++
	require.ErrorIs(t, f.b.Do(t.Context(), other), fs.ErrExist)
	f.requireKnown("as before")
	require.NoError(t, first.Close())
	f.requireKnown("to its heir")
	do(t, f.b, op.Inverse())
	f.requireForgotten()
}

// TestTwoAgents starts lldpad where a backend is the station. One that has to be it does nothing any more, and one that may leave
// it to lldpad does.
func TestTwoAgents(t *testing.T) {
	t.Parallel()
	f := newFabric(t, linux.AnyAgent)
	op := host.Associate{VSI: vsi}
	do(t, f.b, op)
	f.requireKnown("without lldpad")
	f.start()
	require.Empty(t, f.associations(), "of which lldpad knows nothing")
	do(t, f.b, op)
	f.requireKnown("by lldpad")
	require.Equal(t, f.agent.guests(t, "eth0"), f.bridge.guests(t, "eth0"))
	do(t, f.b, op.Inverse())
	f.requireForgotten()

	f.close()
	f.config.Agent = linux.Native
	f.open()
	err := f.b.Do(t.Context(), op)
	require.ErrorIs(t, err, fs.ErrExist)
	require.ErrorContains(t, err, "lldpad speaks with the switch there, and there can be one station at a card")
	require.Empty(t, f.associations())
	for _, err := range f.b.Station(t.Context(), "eth0") {
		require.ErrorIs(t, err, fs.ErrExist)
	}
	f.agent.stop()
	do(t, f.b, op)
	f.requireKnown("when lldpad has ended")
}

// TestAssociationIsKept waits until the switch has been reminded twice, without which it would have forgotten the guest.
func TestAssociationIsKept(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 20 s")
	}
	t.Parallel()
	f := newFabric(t, linux.Native)
	do(t, f.b, host.Associate{VSI: vsi})
	wire := newPlug(t, f.outside, "eth0", vdp.EtherType)
	for reminders := 0; reminders < 2; {
		if m, err := vdp.Parse(wire.receive()); err == nil && !m.Ack {
			reminders++
		}
	}
	testenv.WaitFor(t, 5*time.Second, "the answer", func() bool { return len(f.associations()) == 1 })
	f.requireKnown("after two reminders")
}

// TestAssociationOnVLANDevice tells the switch of the VLAN of the device below.
func TestAssociationOnVLANDevice(t *testing.T) {
	forEachTeller(t, func(t *testing.T, f *fabric) {
		add := f.ns.Command(t.Context(), "ip", "link", "add", "link", "eth0", "name", "eth0.2", "type", "vlan", "id", "2")
		if out, err := add.CombinedOutput(); err != nil {
			testenv.Lack(t, "the kernel has no VLAN devices: %s", out)
		}
		f.ns.SetSysctl(t, "net/ipv6/conf/eth0.2/disable_ipv6", "1")
		wire := newPlug(t, f.outside, "eth0", vdp.EtherType)
		nets, err := network.Open(t.Context(), f.b, network.Memory())
		require.NoError(t, err)
		text := strings.Replace(strings.Replace(guestAtSwitch, "eth0", "eth0.2", 1), "<vlan><tag id='5'/></vlan>", "", 1)
		i, err := domainiface.Parse(strings.NewReader(text))
		require.NoError(t, err)
		port, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, i)
		require.NoError(t, err)
		want := vsi
		want.VLAN = 2
		require.Equal(t, []host.Association{{VSI: want}}, f.associations())
		m, err := vdp.Parse(wire.receive())
		require.NoError(t, err)
		require.Equal(t, []vdp.Filter{{MAC: vsi.MAC, VLAN: 2}}, m.VSIs[0].Filters)
		require.NoError(t, port.Detach(t.Context()))
		require.Empty(t, f.associations())
		f.requireNoRecords()
	})
}
