// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/internal/vdp"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
)

// A fabric is a host at a switch that an lldpad plays, with somebody who tells the switch of guests.
type fabric struct {
	t           testing.TB
	teller      linux.Agent
	config      linux.Config
	b           *linux.Backend
	ns, outside *testenv.Namespace
	// agent is the lldpad of the host, and nil without one.
	agent, bridge *agent
}

func newFabric(t testing.TB, teller linux.Agent) *fabric {
	needAgent(t)
	f := &fabric{t: t, teller: teller, ns: testenv.New(t), outside: testenv.New(t)}
	testenv.Connect(t, f.ns, f.outside, "eth0", "eth0")
	f.ns.SetSysctl(t, "net/ipv6/conf/eth0/disable_ipv6", "1") // whose address would come and go
	run := t.TempDir()
	f.config = linux.Config{Namespace: f.ns.Path(), RunDir: run, Agent: teller, AgentPID: filepath.Join(run, "lldpad.pid")}
	f.open()
	f.startBridge()
	if teller == linux.Lldpad {
		f.start()
	}
	return f
}

// open opens the backend, as the next program does.
func (f *fabric) open() {
	f.t.Helper()
	b, err := linux.Open(f.config)
	require.NoError(f.t, err)
	f.b = b
	f.t.Cleanup(f.close)
}

func (f *fabric) close() {
	if f.b != nil {
		require.NoError(f.t, f.b.Close())
	}
	f.b = nil
}

// start starts the agent of the host.
func (f *fabric) start() {
	f.t.Helper()
	f.agent = startAgentIn(f.t, f.config.RunDir, f.ns, "eth0", agentStation)
	f.agent.agree(f.t, "eth0")
}

func (f *fabric) startBridge() { f.bridge = startAgent(f.t, f.outside, "eth0", agentBridge) }

// forEachTeller runs a test with each way to tell a switch of guests.
func forEachTeller(t *testing.T, test func(*testing.T, *fabric)) {
	t.Parallel()
	for name, teller := range tellers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newFabric(t, teller))
		})
	}
}

func (f *fabric) associations() []host.Association {
	f.t.Helper()
	facts, err := f.b.Facts(f.t.Context(), host.Scope{Associations: []string{"eth0"}})
	require.NoError(f.t, err)
	return facts.Associations
}

// guestAtSwitch is in a VLAN that only the switch knows of.
const guestAtSwitch = `<interface type='direct'><mac address='52:54:00:00:00:07'/><source dev='eth0' mode='vepa'/><vlan><tag id='5'/></vlan>
<virtualport type='802.1Qbg'><parameters managerid='11' typeid='1193047' typeidversion='2' instanceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f'/></virtualport></interface>`

var vsi = host.VSI{
	Link: "eth0", Instance: host.UUID{0x09, 0xb1, 0x1c, 0x53, 0x8b, 0x5c, 0x4e, 0xeb, 0x8f, 0x00, 0xd8, 0x4e, 0xaa, 0x0a, 0xaa, 0x4f},
	Manager: 11, Type: 1193047, Version: 2, MAC: host.MAC{0x52, 0x54, 0, 0, 0, 7}, VLAN: 5,
}

func (f *fabric) attach(nets *network.Manager) *domainiface.Port {
	f.t.Helper()
	i, err := domainiface.Parse(strings.NewReader(guestAtSwitch))
	require.NoError(f.t, err)
	port, err := domainiface.Attach(f.t.Context(), nets, domainiface.Guest{Name: "web"}, i)
	require.NoError(f.t, err)
	require.Equal(f.t, []host.Association{{VSI: vsi}}, f.associations())
	return port
}

// A healer mends what is associated no more.
type healer struct {
	t      *testing.T
	kinds  chan network.EventKind
	cancel func()
	done   chan error
}

func newHealer(t *testing.T, nets *network.Manager) *healer {
	ctx, cancel := context.WithCancel(t.Context())
	h := &healer{t: t, kinds: make(chan network.EventKind, 100), cancel: cancel, done: make(chan error, 1)}
	go func() {
		var failed error
		for e, err := range nets.Heal(ctx, network.Healing{}) {
			if !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, os.ErrDeadlineExceeded) { // as repairs end while nobody is there
				failed = errors.Join(failed, err)
			}
			h.kinds <- e.Kind
		}
		h.done <- failed
	}()
	h.await(network.EventWatching)
	return h
}

func (h *healer) await(want network.EventKind) {
	h.t.Helper()
	for late := time.After(40 * time.Second); ; {
		select {
		case kind := <-h.kinds:
			if kind == want {
				return
			}
		case <-late:
			h.t.Fatalf("no event %s", want)
		}
	}
}

func (h *healer) end() {
	h.t.Helper()
	h.cancel()
	require.NoError(h.t, <-h.done)
}

// requireKnown wants the guest to be known on both sides.
func (f *fabric) requireKnown(when string) {
	f.t.Helper()
	require.Equal(f.t, []host.Association{{VSI: vsi}}, f.associations(), when)
	require.Equal(f.t, []string{vsi.Instance.String()}, f.bridge.guests(f.t, "eth0"), when)
}

// requireForgotten wants nobody to know of any guest. That of the switch may take a moment after lldpad has said so.
func (f *fabric) requireForgotten() {
	f.t.Helper()
	require.Empty(f.t, f.associations())
	f.requireNoRecords()
	if f.teller == linux.Native {
		require.Empty(f.t, f.bridge.guests(f.t, "eth0"))
		return
	}
	testenv.WaitFor(f.t, 10*time.Second, "the switch forgets", func() bool { return len(f.bridge.guests(f.t, "eth0")) == 0 })
}

func (f *fabric) requireNoRecords() {
	f.t.Helper()
	left, err := os.ReadDir(filepath.Join(f.config.RunDir, ".vsi"))
	require.NoError(f.t, err)
	require.Empty(f.t, left)
}

// TestAssociationHeals has the switch end the association of a guest, and then lldpad start anew, which forgets all guests. A
// healer associates the guest again both times.
func TestAssociationHeals(t *testing.T) {
	forEachTeller(t, func(t *testing.T, f *fabric) {
		before := f.ns.Snapshot(t)
		nets, err := network.Open(t.Context(), f.b, network.Memory())
		require.NoError(t, err)
		port := f.attach(nets)
		h := newHealer(t, nets)
		end := vdp.Message{Sequence: 0x7777, VSIs: []vdp.VSI{{
			Mode: vdp.Disassociate, Manager: [16]byte{vsi.Manager}, Type: vsi.Type, Version: vsi.Version, Instance: vsi.Instance,
			Filters: []vdp.Filter{{MAC: vsi.MAC, VLAN: vsi.VLAN}},
		}}}
		newPlug(t, f.outside, "eth0", vdp.EtherType).send(vdp.Group, end.Append(nil))
		h.await(network.EventRepaired)
		f.requireKnown("after the switch has ended it")
		if f.agent != nil {
			f.agent.stop()
			f.start()
			h.await(network.EventRepaired)
			f.requireKnown("after lldpad was started anew")
		}
		h.end()
		require.NoError(t, port.Detach(t.Context()))
		f.requireForgotten()
		f.ns.Unchanged(t, before, "detached")
	})
}

// TestSwitchStartsAnew has the switch start anew, which forgets all guests and tells nobody: it is reminded, and told again by a
// healer if it ends soon after its start what it has granted. It is not by lldpad, which takes the first answer of the new switch
// for the first of the old one, and gives the guest up.
func TestSwitchStartsAnew(t *testing.T) {
	t.Parallel()
	f := newFabric(t, linux.Native)
	nets, err := network.Open(t.Context(), f.b, network.Memory())
	require.NoError(t, err)
	port := f.attach(nets)
	h := newHealer(t, nets)
	f.requireKnown("associated")
	f.bridge.stop()
	f.startBridge()
	testenv.WaitFor(t, 40*time.Second, "both know the guest again", func() bool {
		return len(f.bridge.guests(t, "eth0")) > 0 && len(f.associations()) > 0
	})
	h.end()
	f.requireKnown("after the switch was started anew")
	require.NoError(t, port.Detach(t.Context()))
	f.requireForgotten()
}

// TestAssociationIsFound leaves an association behind that nobody has a record of but the backend, as a program does that is
// killed, and finds it again.
func TestAssociationIsFound(t *testing.T) {
	forEachTeller(t, func(t *testing.T, f *fabric) {
		op := host.Associate{VSI: vsi}
		do(t, f.b, op)
		f.close()
		f.open()
		facts, err := f.b.Facts(t.Context(), op.Scope())
		require.NoError(t, err)
		require.True(t, op.Holds(facts))
		f.requireKnown("to the next program")
		do(t, f.b, op.Inverse())
		f.requireForgotten()
	})
}

// TestWithoutLldpad ends lldpad, and with it what it knew: the switch forgets by itself.
func TestWithoutLldpad(t *testing.T) {
	t.Parallel()
	f := newFabric(t, linux.Lldpad)
	op := host.Associate{VSI: vsi}
	do(t, f.b, op)
	f.agent.stop()
	require.Empty(t, f.associations())
	do(t, f.b, op.Inverse())
	err := f.b.Do(t.Context(), op)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorContains(t, err, "lldpad does not run")
	require.NoError(t, os.WriteFile(f.agent.pid, []byte("1\n\x00\x00"), 0o600)) // as it leaves it behind
	err = f.b.Do(t.Context(), op)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorContains(t, err, "lldpad does not run")
	f.requireNoRecords()
}

// BenchmarkAssociate associates a guest and has it forgotten, by each teller.
func BenchmarkAssociate(b *testing.B) {
	for name, teller := range tellers {
		b.Run(name, func(b *testing.B) {
			f := newFabric(b, teller)
			i := 0
			guest := func() host.Associate {
				v := vsi
				v.Instance[14], v.Instance[15] = byte(i>>8), byte(i)
				i++
				return host.Associate{VSI: v}
			}
			first := guest()
			do(b, f.b, first, first.Inverse()) // agrees with the switch
			for b.Loop() {
				op := guest()
				do(b, f.b, op, op.Inverse())
			}
		})
	}
}
