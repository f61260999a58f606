// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"context"
	"errors"
	"io/fs"
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

// onCards opens a manager on a machine with cards, of which eth1 is down and eth2 is a port of a bridge.
func onCards(t *testing.T, networks ...string) (*hosttest.Machine, *network.Manager, network.Store) {
	t.Helper()
	m := hosttest.New("eth0", "eth1", "eth2")
	for _, op := range []host.Op{
		host.SetDown{Link: "eth1"}, host.AddBridge{Link: "br0", MAC: host.MAC{2, 0, 0, 0, 0, 9}}, host.Plug{Link: "eth2", Bridge: "br0"},
	} {
		require.NoError(t, m.Do(t.Context(), op))
	}
	store := network.Memory()
	nets, err := network.Open(t.Context(), m, store)
	require.NoError(t, err)
	for _, text := range networks {
		n, err := network.Parse(strings.NewReader(text))
		require.NoError(t, err)
		require.NoError(t, nets.Create(t.Context(), n))
	}
	return m, nets, store
}

func lines(p host.Plan) (list []string) {
	for _, step := range p {
		list = append(list, step.Op.String())
	}
	return list
}

const (
	shared = `<network><name>shared</name><forward mode='private'><interface dev='eth0'/></forward></network>`
	whole  = `<network><name>whole</name><forward mode='passthrough'><interface dev='eth1'/></forward></network>`
)

func TestAttachDirect(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
		live string
	}{
		"vepa, as nothing else is said": {
			`<interface type='direct'><mac address='52:54:00:00:00:01'/><source dev='eth0'/></interface>`,
			[]string{
				"link add link eth0 name macvtap0 address 52:54:00:00:00:01 type macvtap mode vepa vnet_hdr",
				"sysctl net/ipv6/conf/macvtap0/disable_ipv6=1 (was 0)",
				"link set macvtap0 up",
			}, "<target dev='macvtap0'/>",
		},
		"everything": {
			`<interface type='direct'><mac address='52:54:00:00:00:01'/><source dev='eth1' mode='bridge'/><target dev='web%d'/>
<bandwidth><inbound average='1000'/><outbound average='128' peak='256'/></bandwidth><model type='virtio'/><driver queues='4'/><mtu size='1400'/></interface>`,
			[]string{
				"link add link eth1 name web0 address 52:54:00:00:00:01 mtu 1400 type macvtap mode bridge multi_queue 4 vnet_hdr",
				"sysctl net/ipv6/conf/web0/disable_ipv6=1 (was 0)",
				"tc shape add web0 egress rate 128kbps ceil 256kbps burst 2kb ingress rate 1000kbps ceil 1000kbps burst 9kb by ifb queue fq_codel",
				"link set eth1 up for good",
				"link set web0 up",
			}, "<target dev='web0'/>",
		},
		"too small for IPv6, without virtio headers": {
			`<interface type='direct'><mac address='52:54:00:00:00:01'/><source dev='eth0' mode='private'/><model type='rtl8139'/><mtu size='1000'/></interface>`,
			[]string{
				"link add link eth0 name macvtap0 address 52:54:00:00:00:01 mtu 1000 type macvtap mode private",
				"link set macvtap0 up",
			}, "<source dev='eth0' mode='private'/>",
		},
		"a card for itself": {
			`<interface type='direct'><mac address='52:54:00:00:00:01'/><source dev='eth1' mode='passthrough'/></interface>`,
			[]string{
				"link add link eth1 name macvtap0 address 52:54:00:00:00:01 type macvtap mode passthru vnet_hdr (eth1 was 02:00:00:00:00:02)",
				"sysctl net/ipv6/conf/macvtap0/disable_ipv6=1 (was 0)",
				"link set eth1 up",
				"link set macvtap0 up",
			}, "<source dev='eth1' mode='passthrough'/>",
		},
		"a network's card": {
			`<interface type='network'><mac address='52:54:00:00:00:01'/><source network='shared'/></interface>`,
			[]string{
				"link add link eth0 name macvtap0 address 52:54:00:00:00:01 type macvtap mode private vnet_hdr",
				"sysctl net/ipv6/conf/macvtap0/disable_ipv6=1 (was 0)",
				"link set macvtap0 up",
			}, "<source dev='eth0' mode='private'/>",
		},
		"a network's card for itself": {
			`<interface type='network'><mac address='52:54:00:00:00:01'/><source network='whole'/></interface>`,
			[]string{
				"link add link eth1 name macvtap0 address 52:54:00:00:00:01 type macvtap mode passthru vnet_hdr (eth1 was 02:00:00:00:00:02)",
				"sysctl net/ipv6/conf/macvtap0/disable_ipv6=1 (was 0)",
				"link set eth1 up",
				"link set macvtap0 up",
			}, "<actual type='direct'>",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, nets, store := onCards(t, shared, whole)
			before := m.String()
			port, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, nic(t, c.text))
			require.NoError(t, err)
			require.Equal(t, c.want, lines(port.Built))
			live, err := port.Live().Format()
			require.NoError(t, err)
			require.Contains(t, string(live), c.live)

			// The next program finds it, opens it and takes it away.
			nets, err = network.Open(t.Context(), m, store)
			require.NoError(t, err)
			again, err := domainiface.Lookup(t.Context(), nets, port.Network, port.ID)
			require.NoError(t, err)
			require.Equal(t, port.Built, again.Built)
			files, err := again.Open(t.Context(), 1)
			require.NoError(t, err)
			require.NoError(t, files[0].Close())
			_, err = again.Open(t.Context(), 5)
			require.ErrorIs(t, err, fs.ErrInvalid)
			require.NoError(t, again.Detach(t.Context()))
			if strings.Contains(strings.Join(c.want, "\n"), "for good") {
				require.NoError(t, m.Do(t.Context(), host.SetDown{Link: "eth1"}))
			}
			require.Equal(t, before, m.String())
		})
	}
}

func TestAttachDirectRefuses(t *testing.T) {
	web := domainiface.Guest{Name: "web"}
	for name, c := range map[string]struct {
		guest domainiface.Guest
		text  string
		kind  error // nil is a violation
		want  string
	}{
		"no such device":   {web, `<interface type='direct'><source dev='eth9'/></interface>`, nil, "/interface/source/@dev: the host has no device eth9"},
		"port of a bridge": {web, `<interface type='direct'><source dev='eth2'/></interface>`, nil, "/interface/source/@dev: eth2 is a port of br0"},
		"address of the card": {web, `<interface type='direct'><mac address='02:00:00:00:00:01'/><source dev='eth0'/></interface>`, fs.ErrExist,
			"/interface/mac/@address: eth0 has the address"},
		"mtu": {web, `<interface type='direct'><source dev='eth0'/><mtu size='9000'/></interface>`, fs.ErrInvalid, "/interface/mtu/@size: 9000 is above the 1500 of eth0"},
		"profile without a uuid": {web, `<interface type='direct'><source dev='eth0'/><virtualport type='802.1Qbh'><parameters profileid='p'/></virtualport></interface>`,
			fs.ErrInvalid, "/interface/virtualport: 802.1Qbh needs a guest with a uuid"},
		"vlan on what is no virtual function": {web, `<interface type='direct'><source dev='eth0' mode='passthrough'/><vlan><tag id='7'/></vlan></interface>`,
			fs.ErrInvalid, "/interface/vlan: eth0 is no virtual function"},
		"vlan in another mode": {web, `<interface type='direct'><source dev='eth0'/><vlan><tag id='7'/></vlan></interface>`, nil, "/interface/vlan"},
		"limits of a container": {domainiface.Guest{Name: "box", Namespace: "/run/netns/box"},
			`<interface type='direct'><source dev='eth0'/><bandwidth><inbound average='1000'/></bandwidth></interface>`,
			errors.ErrUnsupported, "/interface/bandwidth: a container"},
		"container that is gone": {domainiface.Guest{Name: "box", Namespace: "/run/netns/box"}, `<interface type='direct'><source dev='eth0'/></interface>`,
			fs.ErrNotExist, "network namespace /run/netns/box"},
	} {
		t.Run(name, func(t *testing.T) {
			m, nets, _ := onCards(t)
			before := m.String()
			_, err := domainiface.Attach(t.Context(), nets, c.guest, nic(t, c.text))
			if c.kind == nil {
				var violations schema.Violations
				require.ErrorAs(t, err, &violations)
			} else {
				require.ErrorIs(t, err, c.kind)
			}
			require.ErrorContains(t, err, c.want)
			require.Equal(t, before, m.String())
		})
	}
}

// TestDirectModes is MVT-3: what shares a card may be in any of three modes, and passthrough shares with nobody, whoever came
// first and whether our guest did.
func TestDirectModes(t *testing.T) {
	modes := []string{"vepa", "bridge", "private", "passthrough"}
	for _, first := range modes {
		for _, second := range modes {
			t.Run(first+" and "+second, func(t *testing.T) {
				_, nets, _ := onCards(t)
				attach := func(mode string) (*domainiface.Port, error) {
					return domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, nic(t, `<interface type='direct'><source dev='eth0' mode='`+mode+`'/></interface>`))
				}
				port, err := attach(first)
				require.NoError(t, err)
				_, err = attach(second)
				if first != "passthrough" && second != "passthrough" {
					require.NoError(t, err)
					return
				}
				require.Error(t, err)
				require.NoError(t, port.Detach(t.Context()))
				_, err = attach(second)
				require.NoError(t, err)
			})
		}
	}
}

// TestUpdateDirect changes the limits of a guest and nothing else of its device.
func TestUpdateDirect(t *testing.T) {
	for _, text := range []string{
		`<interface type='direct'><source dev='eth0'/></interface>`,
		`<interface type='direct'><source dev='eth1' mode='bridge'/></interface>`,
		`<interface type='direct'><source dev='eth1' mode='passthrough'/></interface>`,
		`<interface type='network'><source network='shared'/></interface>`,
		`<interface type='network'><source network='whole'/></interface>`,
	} {
		t.Run(text, func(t *testing.T) {
			m, nets, _ := onCards(t, shared, whole)
			before := m.String()
			port, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, nic(t, text))
			require.NoError(t, err)
			built, done := lines(port.Built), len(m.Log())
			require.NoError(t, port.SetBandwidth(t.Context(), &qos.Rate{Average: schema.Num(1000)}, nil))
			require.Len(t, m.Log(), done+1)
			require.IsType(t, host.SetShape{}, m.Log()[done])
			require.NoError(t, port.SetBandwidth(t.Context(), &qos.Rate{}, nil))
			require.Len(t, m.Log(), done+2)
			require.Equal(t, built, lines(port.Built))

			now := m.String()
			for _, other := range []string{
				`<interface type='direct'><source dev='eth1' mode='private'/></interface>`,
				`<interface type='bridge'><source bridge='br0'/></interface>`,
			} {
				require.ErrorIs(t, port.Update(t.Context(), nic(t, other)), errors.ErrUnsupported, other)
				require.Equal(t, now, m.String())
			}
			require.NoError(t, port.Detach(t.Context()))
			if strings.Contains(strings.Join(built, "\n"), "for good") {
				require.NoError(t, m.Do(t.Context(), host.SetDown{Link: "eth1"}))
			}
			require.Equal(t, before, m.String())
		})
	}
}

// TestAttachDirectAtomic fails at every step, after which a card that the guest was to have for itself is as it was.
func TestAttachDirectAtomic(t *testing.T) {
	m, nets, _ := onCards(t)
	require.Equal(t, 5, atomic(t, m, nets, domainiface.Guest{Name: "web"},
		`<interface type='direct'><source dev='eth1' mode='passthrough'/><bandwidth><inbound average='9'/></bandwidth></interface>`))
}

// atomic attaches a guest and fails at every step, after which the machine is as it was, until it succeeds; then it detaches
// the guest. It returns the number of steps.
func atomic(t *testing.T, m *hosttest.Machine, nets *network.Manager, g domainiface.Guest, text string) int {
	t.Helper()
	before := m.String()
	broken := errors.New("broken")
	for at := 0; ; at++ {
		n := 0
		m.Fail = func(host.Op) error {
			n++
			if n == at+1 {
				return broken
			}
			return nil
		}
		port, err := domainiface.Attach(t.Context(), nets, g, nic(t, text))
		if err == nil {
			require.Len(t, port.Built, at)
			m.Fail = nil
			require.NoError(t, port.Detach(context.Background()))
			require.Equal(t, before, m.String())
			return at
		}
		require.ErrorIs(t, err, broken)
		require.Equal(t, before, m.String(), "step %d", at)
	}
}

// TestRepairDirect gives a guest's device its size back when the one below allows it again, and leaves it until then.
func TestRepairDirect(t *testing.T) {
	m, nets, _ := onCards(t)
	port, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"},
		nic(t, `<interface type='direct'><source dev='eth0'/><mtu size='1450'/></interface>`))
	require.NoError(t, err)
	require.NoError(t, m.Do(t.Context(), host.SetMTU{Link: "eth0", MTU: 1400, Was: 1500}))
	repair := func() int {
		drifts, err := nets.Check(t.Context())
		require.NoError(t, err)
		require.Len(t, drifts, 1)
		require.Equal(t, port.Link, drifts[0].Link)
		return len(drifts[0].Repair)
	}
	require.Zero(t, repair())
	require.NoError(t, m.Do(t.Context(), host.SetMTU{Link: "eth0", MTU: 1500, Was: 1400}))
	require.Equal(t, 1, repair())
}

// TestDirectLost tells of a guest's device that went with the card, and does not make another.
func TestDirectLost(t *testing.T) {
	m, nets, store := onCards(t)
	require.NoError(t, m.Do(t.Context(), host.AddTap{Link: "tap0", MAC: host.MAC{2, 0, 0, 0, 0, 7}}))
	port, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, nic(t, `<interface type='direct'><source dev='tap0' mode='bridge'/></interface>`))
	require.NoError(t, err)
	require.NoError(t, m.Do(t.Context(), host.DelTap{Link: "tap0", MAC: host.MAC{2, 0, 0, 0, 0, 7}}))
	drifts, err := nets.Check(t.Context())
	require.NoError(t, err)
	require.Len(t, drifts, 1)
	require.Equal(t, port.Link, drifts[0].Lost)
	require.Empty(t, drifts[0].Repair)
	nets, err = network.Open(t.Context(), m, store)
	require.NoError(t, err)
	_, err = domainiface.Lookup(t.Context(), nets, "", port.ID)
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// TestDirectLeft takes a card back that a guest had for itself: it is on if it was.
func TestDirectLeft(t *testing.T) {
	for _, card := range []string{"eth0", "eth1"} {
		m, nets, _ := onCards(t)
		before := m.String()
		port, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, nic(t, `<interface type='direct'><source dev='`+card+`' mode='passthrough'/></interface>`))
		require.NoError(t, err)
		f, err := m.Facts(t.Context(), host.Scope{Links: []string{card}})
		require.NoError(t, err)
		require.True(t, f.Link(card).Up)
		require.Equal(t, host.MAC(port.MAC), f.Link(card).MAC)
		require.NoError(t, port.Detach(t.Context()))
		require.Equal(t, before, m.String())
	}
}
