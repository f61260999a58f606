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

// onOVSBridge opens a manager on a machine with two bridges of Open vSwitch and one of Linux.
func onOVSBridge(t *testing.T, networks ...string) (*hosttest.Machine, *network.Manager, network.Store) {
	t.Helper()
	m := hosttest.New("eth0")
	require.NoError(t, m.AddOVS("ovs0", "ovs1"))
	require.NoError(t, m.Do(t.Context(), host.AddBridge{Link: "br0", MAC: host.MAC{2, 0, 0, 0, 0, 9}}))
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

const (
	switched = `<network><name>switched</name><forward mode='bridge'/><bridge name='ovs0'/><vlan><tag id='20'/></vlan><virtualport type='openvswitch'/>
<portgroup name='trunk'><vlan trunk='yes'><tag id='30'/><tag id='20' nativeMode='untagged'/></vlan>
<virtualport type='openvswitch'><parameters profileid='db'/></virtualport><bandwidth><outbound average='100'/></bandwidth></portgroup></network>`

	interfaceID = "09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f"
	onOVS       = `<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='ovs0'/>
<virtualport type='openvswitch'><parameters interfaceid='` + interfaceID + `'/></virtualport>`
	plainPort = "attached-mac=52:54:00:00:00:01 iface-id=" + interfaceID
)

// ovsGuest is a guest with an identity.
func ovsGuest(t *testing.T) domainiface.Guest {
	t.Helper()
	id, err := schema.ParseUUID("11000000-0000-0000-0000-000000000022")
	require.NoError(t, err)
	return domainiface.Guest{Name: "web", UUID: id}
}

func TestAttachToOVS(t *testing.T) {
	const guest = " vm-id=11000000-0000-0000-0000-000000000022"
	for name, c := range map[string]struct{ text, port string }{
		"all VLANs":    {onOVS + `</interface>`, "ovs0 vnet0 " + plainPort + guest},
		"access":       {onOVS + `<vlan><tag id='42'/></vlan></interface>`, "ovs0 vnet0 vlan_mode=access tag=42 " + plainPort + guest},
		"trunk":        {onOVS + `<vlan><tag id='42'/><tag id='7'/></vlan></interface>`, "ovs0 vnet0 vlan_mode=trunk trunks=7,42 " + plainPort + guest},
		"trunk of one": {onOVS + `<vlan trunk='yes'><tag id='42'/></vlan></interface>`, "ovs0 vnet0 vlan_mode=trunk trunks=42 " + plainPort + guest},
		"native tagged": {
			onOVS + `<vlan trunk='yes'><tag id='42' nativeMode='tagged'/><tag id='7'/></vlan></interface>`,
			"ovs0 vnet0 vlan_mode=native-tagged tag=42 trunks=7,42 " + plainPort + guest,
		},
		"limits": {
			onOVS + `<bandwidth><inbound average='1000' peak='5000' burst='1024'/><outbound average='128' burst='256'/></bandwidth></interface>`,
			"ovs0 vnet0 " + plainPort + guest + " qos rate 1000kbps ceil 5000kbps burst 1024kb policing rate 128kbps burst 256kb",
		},
		"by the network": {
			`<interface type='network'><mac address='52:54:00:00:00:01'/><source network='switched'/><virtualport><parameters interfaceid='` + interfaceID + `'/></virtualport></interface>`,
			"ovs0 vnet0 vlan_mode=access tag=20 " + plainPort + guest,
		},
		"by the port group": {
			`<interface type='network'><mac address='52:54:00:00:00:01'/><source network='switched' portgroup='trunk'/><virtualport><parameters interfaceid='` + interfaceID + `'/></virtualport></interface>`,
			"ovs0 vnet0 vlan_mode=native-untagged tag=20 trunks=20,30 " + plainPort + guest + ` port-profile="db" policing rate 100kbps burst 100kb`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, nets, store := onOVSBridge(t, switched)
			before := m.String()
			port, err := domainiface.Attach(t.Context(), nets, ovsGuest(t), nic(t, c.text))
			require.NoError(t, err)
			require.Equal(t, []string{
				"tuntap add dev vnet0 mode tap vnet_hdr address fe:54:00:00:00:01 mtu 1500",
				"sysctl net/ipv6/conf/vnet0/disable_ipv6=1 (was 0)",
				"ovs add-port " + c.port + ` owner "virtnet:` + port.ID.String() + `"`,
				"link set vnet0 up",
			}, lines(port.Built))
			drift, err := nets.Check(t.Context())
			require.NoError(t, err)
			require.Empty(t, drift)

			nets, err = network.Open(t.Context(), m, store)
			require.NoError(t, err)
			again, err := domainiface.Lookup(t.Context(), nets, port.Network, port.ID)
			require.NoError(t, err)
			require.Equal(t, port.Built, again.Built)
			files, err := again.Open(t.Context(), 1)
			require.NoError(t, err)
			require.NoError(t, files[0].Close())
			require.NoError(t, again.Detach(t.Context()))
			require.Equal(t, before, m.String())
		})
	}
}

func TestContainerOnOVS(t *testing.T) {
	m, nets, _ := onOVSBridge(t)
	m.AddNamespace("/run/netns/web")
	port, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web", Namespace: "/run/netns/web"}, nic(t, onOVS+`</interface>`))
	require.NoError(t, err)
	require.Contains(t, lines(port.Built)[2], "ovs add-port ovs0 vnet0 "+plainPort)
	require.NoError(t, port.Detach(t.Context()))
}

func TestNotAttachedToOVS(t *testing.T) {
	for name, c := range map[string]struct {
		text, want string
		sentinel   error
	}{
		"a bridge of Linux": {
			strings.Replace(onOVS, "ovs0", "br0", 1) + `</interface>`,
			"/interface/source: br0 is a bridge of Linux, whose ports take no <virtualport type='openvswitch'/>", fs.ErrInvalid,
		},
		"no bridge": {
			strings.Replace(onOVS, "ovs0", "ovs9", 1) + `</interface>`,
			"/interface/source: Open vSwitch has no bridge ovs9, it has: ovs0, ovs1", fs.ErrNotExist,
		},
		"isolated": {onOVS + `<port isolated='yes'/></interface>`, "/interface/port/@isolated: only ports of a Linux bridge can be isolated", nil},
		"too fast": {
			onOVS + `<bandwidth><inbound average='4000000000'/></bandwidth></interface>`,
			"/interface/source: ovs add-port", fs.ErrInvalid,
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, nets, _ := onOVSBridge(t)
			before := m.String()
			_, err := domainiface.Attach(t.Context(), nets, ovsGuest(t), nic(t, c.text))
			require.ErrorContains(t, err, c.want)
			if c.sentinel != nil {
				require.ErrorIs(t, err, c.sentinel)
			}
			require.Equal(t, before, m.String())
		})
	}
	t.Run("without Open vSwitch", func(t *testing.T) {
		nets, err := network.Open(t.Context(), hosttest.New("ovs0"), network.Memory())
		require.NoError(t, err)
		_, err = domainiface.Attach(t.Context(), nets, ovsGuest(t), nic(t, onOVS+`</interface>`))
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.ErrorContains(t, err, "/interface/virtualport: the machine in memory has no Open vSwitch")
	})
	t.Run("without policing", func(t *testing.T) {
		m, nets, _ := onOVSBridge(t)
		m.Shaping = &host.Shaping{Queues: []host.Queue{host.BFIFO}, Means: []host.Means{host.Redirect}}
		_, err := domainiface.Attach(t.Context(), nets, ovsGuest(t), nic(t, onOVS+`<bandwidth><outbound average='1'/></bandwidth></interface>`))
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.ErrorContains(t, err, "/interface/bandwidth/outbound: the kernel of the host cannot police")
	})
	t.Run("a VLAN that is none, as libvirt takes", func(t *testing.T) {
		m, _, store := onOVSBridge(t)
		nets, err := network.Config{Rules: schema.Rules{Compat: true}}.Open(t.Context(), m, store)
		require.NoError(t, err)
		_, err = domainiface.Attach(t.Context(), nets, ovsGuest(t), nic(t, onOVS+`<vlan><tag id='4095'/></vlan></interface>`))
		require.ErrorIs(t, err, fs.ErrInvalid)
		require.ErrorContains(t, err, "/interface/vlan/tag[1]/@id: Open vSwitch has no VLAN 4095 here: 1 to 4094")
	})
	t.Run("a port of that name", func(t *testing.T) {
		m, nets, _ := onOVSBridge(t)
		m.SetOVSPort(host.OVSPort{Link: "web0", Bridge: "ovs1"})
		before := m.String()
		_, err := domainiface.Attach(t.Context(), nets, ovsGuest(t), nic(t, onOVS+`<target dev='web0'/></interface>`))
		require.ErrorIs(t, err, fs.ErrExist)
		require.ErrorContains(t, err, "ovs add-port ovs0 web0")
		require.Equal(t, before, m.String())
	})
}

func TestUpdateOnOVS(t *testing.T) {
	_, nets, _ := onOVSBridge(t, switched)
	port, err := domainiface.Attach(t.Context(), nets, ovsGuest(t), nic(t, onOVS+`<vlan><tag id='42'/></vlan></interface>`))
	require.NoError(t, err)
	for _, c := range []struct{ name, text, want string }{
		{"vlan", onOVS + `<vlan><tag id='43'/></vlan></interface>`, "ovs add-port ovs0 vnet0 vlan_mode=access tag=43 " + plainPort},
		{"another bridge", strings.Replace(onOVS, "ovs0", "ovs1", 1) + `</interface>`, "ovs add-port ovs1 vnet0 " + plainPort},
		{"a bridge of Linux", `<interface type='bridge'><source bridge='br0'/></interface>`, "link set vnet0 master br0"},
		{"and back, on a network", `<interface type='network'><source network='switched'/><virtualport><parameters interfaceid='` + interfaceID + `'/></virtualport></interface>`,
			"ovs add-port ovs0 vnet0 vlan_mode=access tag=20 " + plainPort},
	} {
		require.NoError(t, port.Update(t.Context(), nic(t, c.text)), c.name)
		require.Contains(t, lines(port.Built)[2], c.want, c.name)
		drift, err := nets.Check(t.Context())
		require.NoError(t, err)
		require.Empty(t, drift, c.name)
	}
	require.NoError(t, port.SetBandwidth(t.Context(), &qos.Rate{Average: schema.Num(500)}, nil))
	require.Contains(t, lines(port.Built)[2], "vlan_mode=access tag=20 "+plainPort, "the VLAN of the network stays")
	require.Contains(t, lines(port.Built)[2], "qos rate 500kbps ceil 500kbps burst 4kb")
	require.NoError(t, port.Detach(t.Context()))
}

// TestOVSPortIsRepaired breaks a port in every way behind the library's back.
func TestOVSPortIsRepaired(t *testing.T) {
	m, nets, _ := onOVSBridge(t)
	port, err := domainiface.Attach(t.Context(), nets, ovsGuest(t), nic(t, onOVS+`<vlan><tag id='42'/></vlan></interface>`))
	require.NoError(t, err)
	whole := m.String()
	is := host.OVSPort(port.Built[2].Op.(host.AddOVSPort))
	broken := func(change func(*host.OVSPort)) func() {
		p := is
		change(&p)
		return func() { m.SetOVSPort(p) }
	}
	for name, c := range map[string]struct {
		breaks func()
		repair string
	}{
		"gone":            {func() { m.DropOVSPort("vnet0") }, "ovs add-port"},
		"another VLAN":    {broken(func(p *host.OVSPort) { p.VLAN.Tag = 7 }), "ovs set-port"},
		"another bridge":  {broken(func(p *host.OVSPort) { p.Bridge = "ovs1" }), "ovs set-port"},
		"limits":          {broken(func(p *host.OVSPort) { p.Other = "qos linux-sfq" }), "ovs set-port"},
		"an unknown mode": {broken(func(p *host.OVSPort) { p.VLAN.Mode = "dot1q-tunnel" }), "ovs set-port"},
	} {
		c.breaks()
		drift, err := nets.Repair(t.Context(), network.RepairRequest{})
		require.NoError(t, err, name)
		require.Len(t, drift, 1, name)
		require.Contains(t, drift[0].Repair.String(), c.repair, name)
		require.Equal(t, whole, m.String(), name)
	}
	broken(func(p *host.OVSPort) { p.Owner = "another" })()
	drift, err := nets.Repair(t.Context(), network.RepairRequest{})
	require.NoError(t, err)
	require.Empty(t, drift[0].Repair, "it is somebody else's by now")
	require.NoError(t, port.Detach(t.Context()))
	require.Contains(t, m.String(), `owner "another"`)
}

// TestOVSAllOrNothing has every operation fail, and the program end after every one.
func TestOVSAllOrNothing(t *testing.T) {
	ctx := context.Background()
	text := onOVS + `<bandwidth><inbound average='1000'/></bandwidth></interface>`
	for at := 0; ; at++ {
		m, nets, store := onOVSBridge(t)
		before, n := m.String(), 0
		m.Fail = func(host.Op) error {
			if n++; n == at+1 {
				return errors.New("told to fail")
			}
			return nil
		}
		port, err := domainiface.Attach(ctx, nets, ovsGuest(t), nic(t, text))
		if err != nil {
			require.Equal(t, before, m.String(), "operation %d fails", at)
			continue
		}
		n = 0
		if err := port.Detach(ctx); err == nil {
			require.GreaterOrEqual(t, at, 2)
			require.Equal(t, before, m.String())
			break
		}
		m.Fail = nil
		_, err = network.Open(ctx, m, store)
		require.NoError(t, err)
		require.Equal(t, before, m.String(), "the end fails at operation %d", at)
	}
}
