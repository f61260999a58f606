// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
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
)

const lan = `<network><name>lan</name><bridge name='lan0' stp='off'/><mtu size='1400'/><ip address='10.1.1.1' prefix='24'/></network>`

// onLAN opens a manager with a running network on a machine in memory.
func onLAN(t *testing.T) (*hosttest.Machine, *network.Manager) {
	t.Helper()
	m := hosttest.New("eth0")
	nets, err := network.Open(t.Context(), m, network.Memory())
	require.NoError(t, err)
	n, err := network.Parse(strings.NewReader(lan))
	require.NoError(t, err)
	require.NoError(t, nets.Create(t.Context(), n))
	return m, nets
}

func nic(t *testing.T, text string) *domainiface.Interface {
	t.Helper()
	i, err := domainiface.Parse(strings.NewReader(text))
	require.NoError(t, err)
	return i
}

func TestAttachPlans(t *testing.T) {
	for name, c := range map[string]struct {
		guest domainiface.Guest
		text  string
		want  []string
	}{
		"tap": {
			domainiface.Guest{Name: "web"},
			`<interface type='network'><mac address='52:54:00:00:00:01'/><source network='lan'/></interface>`,
			[]string{
				"tuntap add dev vnet0 mode tap vnet_hdr address fe:54:00:00:00:01 mtu 1400",
				"sysctl net/ipv6/conf/vnet0/disable_ipv6=1 (was 0)",
				"link set vnet0 master lan0",
				"link set vnet0 up",
			},
		},
		"bandwidth": {
			domainiface.Guest{Name: "web"},
			`<interface type='network'><mac address='52:54:00:00:00:01'/><source network='lan'/>
				<bandwidth><inbound average='1000' peak='5000' burst='1024'/><outbound average='128' peak='256'/></bandwidth></interface>`,
			[]string{
				"tuntap add dev vnet0 mode tap vnet_hdr address fe:54:00:00:00:01 mtu 1400",
				"sysctl net/ipv6/conf/vnet0/disable_ipv6=1 (was 0)",
				"tc shape add vnet0 egress rate 1000kbps ceil 5000kbps burst 1024kb ingress rate 128kbps ceil 256kbps burst 2kb by ifb queue fq_codel",
				"link set vnet0 master lan0",
				"link set vnet0 up",
			},
		},
		"queues, name, mtu, a model without virtio headers": {
			domainiface.Guest{Name: "web"},
			`<interface type='network'><mac address='fe:54:00:00:00:01'/><source network='lan'/><target dev='web%d'/>
<model type='e1000'/><mtu size='1300'/></interface>`,
			[]string{
				"tuntap add dev web0 mode tap address fa:54:00:00:00:01 mtu 1300",
				"sysctl net/ipv6/conf/web0/disable_ipv6=1 (was 0)",
				"link set web0 master lan0",
				"link set web0 up",
			},
		},
		"multi-queue, isolated": {
			domainiface.Guest{Name: "web"},
			`<interface type='network'><mac address='52:54:00:00:00:01'/><source network='lan'/><port isolated='yes'/><target dev='q'/>
<model type='virtio'/><driver queues='4'/></interface>`,
			[]string{
				"tuntap add dev q mode tap multi_queue 4 vnet_hdr address fe:54:00:00:00:01 mtu 1400",
				"sysctl net/ipv6/conf/q/disable_ipv6=1 (was 0)",
				"link set q master lan0 isolated on",
				"link set q up",
			},
		},
		"container on a bridge of the host": {
			domainiface.Guest{Name: "box", Namespace: "/run/netns/box"},
			`<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='lan0'/><guest dev='net0'/></interface>`,
			[]string{
				"link add vnet0 address fe:54:00:00:00:01 mtu 1400 type veth peer name net0 address 52:54:00:00:00:01 netns /run/netns/box",
				"sysctl net/ipv6/conf/vnet0/disable_ipv6=1 (was 0)",
				"link set vnet0 master lan0",
				"link set vnet0 up",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, nets := onLAN(t)
			m.AddNamespace("/run/netns/box")
			before := m.String()
			port, err := domainiface.Attach(t.Context(), nets, c.guest, nic(t, c.text))
			require.NoError(t, err)
			var lines []string
			for _, step := range port.Built {
				lines = append(lines, step.Op.String())
			}
			require.Equal(t, c.want, lines)
			require.NoError(t, port.Detach(t.Context()))
			require.Equal(t, before, m.String())
		})
	}
}

func TestAttachLeavesTheInterfaceAlone(t *testing.T) {
	_, nets := onLAN(t)
	i := nic(t, `<interface type='network'><source network='lan'/></interface>`)
	before, err := i.Format()
	require.NoError(t, err)
	port, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, i)
	require.NoError(t, err)
	require.False(t, port.MAC.IsZero())
	after, err := i.Format()
	require.NoError(t, err)
	require.Equal(t, string(before), string(after))

	again, err := domainiface.Lookup(t.Context(), nets, "lan", port.ID)
	require.NoError(t, err)
	require.Equal(t, port.MAC, again.MAC)
	require.Equal(t, port.Link, again.Link)
	files, err := again.Open(t.Context(), 1)
	require.NoError(t, err)
	require.NoError(t, files[0].Close())
	require.NoError(t, again.Detach(t.Context()))
	require.ErrorIs(t, port.Detach(t.Context()), fs.ErrNotExist)
}

func TestAttachRefuses(t *testing.T) {
	web := domainiface.Guest{Name: "web"}
	for name, c := range map[string]struct {
		guest domainiface.Guest
		text  string
		kind  error
		want  string
	}{
		"no name": {domainiface.Guest{}, `<interface type='network'><source network='lan'/></interface>`, fs.ErrInvalid, "guest without a name"},
		"unknown network": {web, `<interface type='network'><source network='wan'/></interface>`, fs.ErrNotExist,
			`network "wan" is not defined`},
		"no such bridge": {web, `<interface type='bridge'><source bridge='br7'/></interface>`, fs.ErrNotExist, "the host has no bridge br7"},
		"not a bridge":   {web, `<interface type='bridge'><source bridge='eth0'/></interface>`, fs.ErrNotExist, "the host has no bridge eth0, that is a card"},
		"a tap":          {web, `<interface type='bridge'><source bridge='tap9'/></interface>`, fs.ErrNotExist, "the host has no bridge tap9, that is a link of kind tap"},
		"name in use": {web, `<interface type='network'><source network='lan'/><target dev='eth0'/></interface>`, fs.ErrExist,
			"/interface: tuntap add dev eth0"},
		"no such namespace": {domainiface.Guest{Name: "box", Namespace: "/run/netns/gone"}, `<interface type='network'><source network='lan'/></interface>`,
			fs.ErrNotExist, "/interface: link add vnet0"},
		"vlan": {web, `<interface type='bridge'><source bridge='lan0'/><vlan><tag id='7'/></vlan></interface>`, errors.ErrUnsupported, "/interface/vlan"},
		"unknown group": {web, `<interface type='network'><source network='lan' portgroup='red'/></interface>`, fs.ErrNotExist,
			"/interface/source/@portgroup"},
	} {
		t.Run(name, func(t *testing.T) {
			m, nets := onLAN(t)
			require.NoError(t, m.Do(t.Context(), host.AddTap{Link: "tap9", MAC: host.MAC{2, 0, 0, 0, 0, 9}}))
			before := m.String()
			_, err := domainiface.Attach(t.Context(), nets, c.guest, nic(t, c.text))
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, c.want)
			require.Equal(t, before, m.String())
		})
	}
	_, nets := onLAN(t)
	require.NoError(t, nets.Stop(t.Context(), "lan"))
	var violations schema.Violations
	_, err := domainiface.Attach(t.Context(), nets, web, &domainiface.Interface{Type: domainiface.Network})
	require.ErrorAs(t, err, &violations)

	_, nets = onLAN(t)
	_, err = domainiface.Attach(t.Context(), nets, web, nic(t, `<interface type='network'><source network='lan'/><vlan><tag id='7'/></vlan></interface>`))
	require.ErrorAs(t, err, &violations)
	require.Equal(t, "/interface/vlan", violations[0].Path)
}

func TestAttachAtomic(t *testing.T) {
	m, nets := onLAN(t)
	require.Equal(t, 4, atomic(t, m, nets, domainiface.Guest{Name: "web"}, `<interface type='network'><source network='lan'/></interface>`))
}

// TestBridgeOfAnotherKind knows the bridges of Open vSwitch from others.
func TestBridgeOfAnotherKind(t *testing.T) {
	f := &host.Facts{Links: []host.Link{{Name: "br0", Kind: host.Bridge}, {Name: "ovs0", Kind: "openvswitch"}}}
	plug := func(bridge schema.Text) *network.Port {
		return &network.Port{Plug: &network.Plug{Type: network.PlugBridge, Bridge: bridge}}
	}
	l, err := domainiface.BridgeOf(plug("br0"), f)
	require.NoError(t, err)
	require.Equal(t, "br0", l.Name)
	_, err = domainiface.BridgeOf(plug("ovs0"), f)
	require.ErrorIs(t, err, fs.ErrInvalid)
	require.ErrorContains(t, err, "<virtualport type='openvswitch'/>")
}

// TestUndefineWithPorts: a network is not forgotten while ports wait for its next start.
func TestUndefineWithPorts(t *testing.T) {
	ctx := t.Context()
	_, nets := onLAN(t)
	n, err := network.Parse(strings.NewReader(lan))
	require.NoError(t, err)
	require.NoError(t, nets.Define(ctx, n))
	p, err := domainiface.Attach(ctx, nets, domainiface.Guest{Name: "web"}, nic(t, `<interface type='network'><source network='lan'/></interface>`))
	require.NoError(t, err)
	require.NoError(t, nets.Stop(ctx, "lan"))
	err = nets.Undefine(ctx, "lan")
	require.ErrorIs(t, err, network.ErrBusy)
	require.ErrorContains(t, err, `network "lan" has ports: 1`)
	require.NoError(t, p.Detach(ctx))
	require.NoError(t, nets.Undefine(ctx, "lan"))
}
