// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"context"
	"errors"
	"io/fs"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
	"github.com/go-virtnet/virtnet/network/schema"
)

// profiles is a network whose guests have a profile of 802.1Qbg, of which the group of ports has a part.
const profiles = `<network><name>lan</name><forward mode='vepa'><interface dev='eth0.2'/></forward>
<virtualport type='802.1Qbg'><parameters managerid='11'/></virtualport>
<portgroup name='web' default='yes'><virtualport><parameters typeid='1193047' typeidversion='2'/></virtualport></portgroup></network>`

const (
	instance  = "09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f"
	qbg       = `<virtualport type='802.1Qbg'><parameters managerid='11' typeid='1193047' typeidversion='2' instanceid='` + instance + `'/></virtualport>`
	onVLAN    = `<interface type='direct'><mac address='52:54:00:00:00:01'/><source dev='eth0.2' mode='vepa'/>` + qbg + `</interface>`
	onCard    = `<interface type='direct'><mac address='52:54:00:00:00:01'/><source dev='eth0' mode='vepa'/><vlan><tag id='5'/></vlan>` + qbg + `</interface>`
	onNetwork = `<interface type='network'><mac address='52:54:00:00:00:01'/><source network='lan'/></interface>`
)

// atSwitch opens a manager on a machine with a card at a switch that associates guests, and a VLAN device on it.
func atSwitch(t *testing.T) (*hosttest.Machine, *network.Manager, network.Store) {
	t.Helper()
	m := hosttest.New("eth0", "eth1")
	require.NoError(t, m.AddVLAN("eth0.2", "eth0", 2))
	require.NoError(t, m.SetSwitch(host.Switch{Link: "eth0", Relay: host.RelayYes, VDP: true}))
	store := network.Memory()
	nets, err := network.Open(t.Context(), m, store)
	require.NoError(t, err)
	n, err := network.Parse(strings.NewReader(profiles))
	require.NoError(t, err)
	require.NoError(t, nets.Create(t.Context(), n))
	return m, nets, store
}

func associations(t *testing.T, m *hosttest.Machine) []host.Association {
	t.Helper()
	f, err := m.Facts(t.Context(), host.Scope{All: true})
	require.NoError(t, err)
	return f.Associations
}

// TestAttachAssociated takes the VLAN from the device below or the interface, and the profile from wherever it is.
func TestAttachAssociated(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		vlan uint16
	}{
		"on a VLAN device": {onVLAN, 2}, "on a card": {onCard, 5}, "on a network": {onNetwork, 2},
	} {
		t.Run(name, func(t *testing.T) {
			m, nets, _ := atSwitch(t)
			before := m.String()
			port, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, nic(t, c.text))
			require.NoError(t, err)
			id := port.Document.VirtualPort.Parameters.InstanceID
			if name != "on a network" {
				require.Equal(t, instance, id.String())
			}
			want := host.VSI{
				Link: "eth0", Instance: id.Bytes(), Manager: 11, Type: 1193047, Version: 2, MAC: host.MAC{0x52, 0x54, 0, 0, 0, 1}, VLAN: c.vlan,
			}
			require.Equal(t, []host.Association{{VSI: want}}, associations(t, m))
			require.Contains(t, port.Built.String(), "vdp assoc dev eth0 mgrid 11 typeid 1193047 typeidver 2 uuid "+id.String())
			last := lines(port.Built)
			require.Equal(t, "link set macvtap0 up", last[len(last)-1], "the guest is heard when the switch knows it")

			require.NoError(t, port.Detach(t.Context()))
			require.Equal(t, before, m.String())
		})
	}
}

func TestAttachAssociatedRefusals(t *testing.T) {
	m, nets, _ := atSwitch(t)
	before := m.String()
	for text, want := range map[string]struct {
		text string
		err  error
	}{
		strings.Replace(onVLAN, "<virtualport", "<vlan><tag id='3'/></vlan><virtualport", 1): {
			"/interface/vlan: eth0.2 is in VLAN 2, and the switch is to be told 3: invalid argument", fs.ErrInvalid,
		},
		strings.Replace(onVLAN, "eth0.2", "eth0", 1): {
			"/interface/source/@dev: eth0 is in no VLAN: 802.1Qbg takes a VLAN device, such as eth0.2, or a <vlan> with one tag", nil,
		},
		strings.Replace(onCard, "eth0", "eth1", 1): {"the switch at eth1 associates no guests: unsupported operation", errors.ErrUnsupported},
	} {
		_, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, nic(t, text))
		require.ErrorContains(t, err, want.text)
		if want.err != nil {
			require.ErrorIs(t, err, want.err)
		}
		require.Equal(t, before, m.String())
	}
}

// TestAttachAssociatedLikeLibvirt tells the switch of VLAN 0 where nothing says another.
func TestAttachAssociatedLikeLibvirt(t *testing.T) {
	m, _, _ := atSwitch(t)
	nets, err := network.Config{Rules: schema.Rules{Allow: []schema.Deviation{domainiface.AssociationVLAN}}}.Open(t.Context(), m, network.Memory())
	require.NoError(t, err)
	_, err = domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, nic(t, strings.Replace(onVLAN, "eth0.2", "eth0", 1)))
	require.NoError(t, err)
	require.Zero(t, associations(t, m)[0].VLAN)
}

// TestAttachAssociatedAtomic fails at every step, and is killed at every step; the next Open finds what was begun.
func TestAttachAssociatedAtomic(t *testing.T) {
	broken := errors.New("broken")
	for name, end := range map[string]func() error{
		"failed": func() error { return broken },
		"killed": func() error { runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			m, nets, store := atSwitch(t)
			before := m.String()
			for at, done := 0, false; !done; at++ {
				n := 0
				m.Fail = func(host.Op) error {
					if n++; n == at+1 {
						return end()
					}
					return nil
				}
				var port *domainiface.Port
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					port, _ = domainiface.Attach(context.Background(), nets, domainiface.Guest{Name: "web"}, nic(t, onVLAN))
				}()
				<-ended
				m.Fail = nil
				if done = port != nil; done {
					require.Equal(t, 4, at)
					require.Len(t, associations(t, m), 1)
					require.NoError(t, port.Detach(t.Context()))
				}
				var err error
				nets, err = network.Open(t.Context(), m, store)
				require.NoError(t, err)
				require.Equal(t, before, m.String(), "step %d", at)
			}
		})
	}
}

// TestAssociationComesBack has the switch forget the guests, of which healers hear, and others when they look.
func TestAssociationComesBack(t *testing.T) {
	m, nets, store := atSwitch(t)
	_, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, nic(t, onVLAN))
	require.NoError(t, err)
	want := associations(t, m)

	m.EndAssociations("eth0")
	drifts, err := nets.Check(t.Context())
	require.NoError(t, err)
	require.Len(t, drifts, 1)
	require.Equal(t, drifts[0].Missing, drifts[0].Repair)
	require.IsType(t, host.Associate{}, drifts[0].Repair[0].Op)
	nets, err = network.Open(t.Context(), m, store)
	require.NoError(t, err)
	require.Equal(t, want, associations(t, m), "after Open")

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for e, err := range nets.Heal(ctx, network.Healing{}) {
		require.NoError(t, err)
		switch e.Kind {
		case network.EventWatching:
			m.EndAssociations("eth0")
		case network.EventRepaired:
			require.Equal(t, "macvtap0", e.Link)
			require.Equal(t, want, associations(t, m), "healed")
			cancel()
		}
	}
}

// TestAttachProfile asks for the profile of a port extender for a card and for a virtual function.
func TestAttachProfile(t *testing.T) {
	const text = `<interface type='direct'><mac address='52:54:00:00:00:01'/><source dev='DEV' mode='passthrough'/>
<virtualport type='802.1Qbh'><parameters profileid='web'/></virtualport></interface>`
	id, err := schema.ParseUUID("c7a5fdbd-edaf-9455-926a-d65c16db1809")
	require.NoError(t, err)
	guest := domainiface.Guest{Name: "web", UUID: id}
	for dev, where := range map[string]string{"eth1": "dev eth1", "eth8v1": "dev eth8 vf 1"} {
		m, nets, _ := atSwitch(t)
		require.NoError(t, m.AddPF("eth8", 2))
		before := m.String()
		direct := nic(t, strings.Replace(text, "DEV", dev, 1))
		_, err = domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, direct)
		require.EqualError(t, err, "/interface/virtualport: 802.1Qbh needs a guest with a uuid: invalid argument")
		port, err := domainiface.Attach(t.Context(), nets, guest, direct)
		require.NoError(t, err)
		require.Contains(t, lines(port.Built), "port profile add "+where+` profile "web" guest c7a5fdbd-edaf-9455-926a-d65c16db1809 mac 52:54:00:00:00:01`)
		require.NoError(t, port.Detach(t.Context()))
		require.Equal(t, before, m.String())
	}
}
