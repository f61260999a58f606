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

// A fabric is a host with an lldpad at a switch with another.
type fabric struct {
	t            *testing.T
	b            *linux.Backend
	ns, outside  *testenv.Namespace
	agent, other *agent
}

func newFabric(t *testing.T) *fabric {
	needAgent(t)
	b, ns, outside := withCard(t)
	f := &fabric{t: t, b: b, ns: ns, outside: outside, other: startAgent(t, outside, "eth0", agentBridge)}
	f.start()
	return f
}

// start starts the agent of the host.
func (f *fabric) start() {
	f.t.Helper()
	f.agent = startAgentIn(f.t, f.b.RunDir(), f.ns, "eth0", agentStation)
	f.agent.agree(f.t, "eth0")
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

// TestAssociationHeals has the switch end the association of a guest, and then lldpad start anew, which forgets all guests. A
// healer associates the guest again both times.
func TestAssociationHeals(t *testing.T) {
	t.Parallel()
	f := newFabric(t)
	before := f.ns.Snapshot(t)
	nets, err := network.Open(t.Context(), f.b, network.Memory())
	require.NoError(t, err)
	port := f.attach(nets)

	ctx, cancel := context.WithCancel(t.Context())
	kinds := make(chan network.EventKind, 100)
	done := make(chan error, 1)
	go func() {
		var failed error
		for e, err := range nets.Heal(ctx, network.Healing{}) {
			if !errors.Is(err, errors.ErrUnsupported) { // as repairs end while lldpad is down
				failed = errors.Join(failed, err)
			}
			kinds <- e.Kind
		}
		done <- failed
	}()
	await := func(want network.EventKind) {
		t.Helper()
		for late := time.After(40 * time.Second); ; {
			select {
			case kind := <-kinds:
				if kind == want {
					return
				}
			case <-late:
				t.Fatalf("no event %s", want)
			}
		}
	}
	await(network.EventWatching)

	end := vdp.Message{Sequence: 0x7777, VSIs: []vdp.VSI{{
		Mode: vdp.Disassociate, Manager: [16]byte{vsi.Manager}, Type: vsi.Type, Version: vsi.Version, Instance: vsi.Instance,
		Filters: []vdp.Filter{{MAC: vsi.MAC, VLAN: vsi.VLAN}},
	}}}
	newPlug(t, f.outside, "eth0", vdp.EtherType).send(vdp.Group, end.Append(nil))
	await(network.EventRepaired)
	require.Equal(t, []host.Association{{VSI: vsi}}, f.associations(), "after the switch has ended it")

	f.agent.stop()
	f.start()
	await(network.EventRepaired)
	require.Equal(t, []host.Association{{VSI: vsi}}, f.associations(), "after lldpad was started anew")
	cancel()
	require.NoError(t, <-done)

	require.NoError(t, port.Detach(t.Context()))
	require.Empty(t, f.associations())
	f.ns.Unchanged(t, before, "detached")
}

// TestAssociationIsFound leaves associations behind that nobody has a record of but the backend, as a program does that is
// killed, and finds them again.
func TestAssociationIsFound(t *testing.T) {
	t.Parallel()
	f := newFabric(t)
	op := host.Associate{VSI: vsi}
	do(t, f.b, op)
	config := linux.Config{Namespace: f.ns.Path(), RunDir: f.b.RunDir(), AgentPID: f.agent.pid}
	again, err := linux.Open(config)
	require.NoError(t, err)
	defer again.Close()
	facts, err := again.Facts(t.Context(), op.Scope())
	require.NoError(t, err)
	require.True(t, op.Holds(facts))
	do(t, again, op.Inverse())
	require.Empty(t, f.associations())

	// The agent ends, and with it what it knew: the switch forgets by itself.
	do(t, again, op)
	f.agent.stop()
	require.Empty(t, f.associations())
	do(t, again, op.Inverse())
	err = again.Do(t.Context(), op)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorContains(t, err, "lldpad does not run")
	require.NoError(t, os.WriteFile(f.agent.pid, []byte("1\n\x00\x00"), 0o600)) // as it leaves it behind
	err = again.Do(t.Context(), op)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorContains(t, err, "lldpad does not run")
	left, err := os.ReadDir(filepath.Join(f.b.RunDir(), ".vsi"))
	require.NoError(t, err)
	require.Empty(t, left)
}
