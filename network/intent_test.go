// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/hostdev"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
)

// hostDevices are those of a host that has one of everything.
func hostDevices() []network.Device {
	return []network.Device{
		{Name: "lo", Up: true},
		{Name: "eth0", Up: true, HostUses: true, PCI: hostdev.Key{Bus: 1}},
		{Name: "eth1", PCI: hostdev.Key{Bus: 2}, Reflects: schema.Yes},
		{Name: "eth2", Up: true, Master: "bond0", PCI: hostdev.Key{Bus: 3}},
		{Name: "bond0", Driver: "bond", Up: true, Reflects: schema.No},
		{Name: "bond0.623", Driver: "vlan", Up: true},
		{Name: "wlan0", Up: true, Wireless: true},
		{Name: "br0", Driver: "bridge", Up: true},
		{Name: "ovs0", Driver: "openvswitch", Up: true},
		{Name: "pf0", Up: true, VFs: 8, PCI: hostdev.Key{Bus: 4}},
		{Name: "pf0v0", PF: "pf0", PCI: hostdev.Key{Bus: 4, Slot: 16}},
		{Name: "pf1", VFs: 8, PCI: hostdev.Key{Bus: 5}, Switch: schema.MacvtapVEPA, Reflects: schema.Yes},
		{Name: "pf1v0", PF: "pf1", PCI: hostdev.Key{Bus: 5, Slot: 16}},
		{Name: "mv0", Driver: "macvtap", Up: true},
		{Name: "busy", Up: true, Macvtaps: []schema.MacvtapMode{schema.MacvtapBridge}},
		{Name: "whole", Up: true, Macvtaps: []schema.MacvtapMode{schema.MacvtapPassthrough}},
		{Name: "vnet0", Driver: "tun", Up: true, Master: "br0"},
	}
}

func TestIntentServes(t *testing.T) {
	tests := map[network.Intent][]string{
		network.LocalSwitching: {"nat ", "route ", "open ", "none ", "bridge br0", "bridge ovs0", "bridge eth0", "bridge eth1", "bridge bond0", "bridge bond0.623",
			"bridge pf0", "bridge pf0v0", "bridge pf1", "bridge pf1v0", "bridge busy", "hostdev pf0", "hostdev pf0v0"},
		network.ExternalSwitching: {"vepa eth0", "vepa eth1", "vepa bond0", "vepa bond0.623", "vepa pf0", "vepa pf0v0", "vepa pf1", "vepa pf1v0", "vepa busy", "hostdev pf1"},
		network.Isolation: {"private eth0", "private eth1", "private bond0", "private bond0.623", "private pf0", "private pf0v0", "private pf1", "private pf1v0",
			"private busy", "nat ", "route ", "open ", "none ", "bridge br0"},
		network.ExclusiveDevice: {"passthrough eth1", "passthrough bond0", "passthrough bond0.623", "passthrough pf0", "passthrough pf0v0", "passthrough pf1",
			"hostdev eth1", "hostdev pf0", "hostdev pf0v0", "hostdev pf1"},
	}
	for intent, want := range tests {
		t.Run(intent.String(), func(t *testing.T) {
			var got []string
			modes := map[network.ForwardMode]bool{}
			for _, c := range intent.Candidates(hostDevices()) {
				modes[c.Mode] = true
				if !c.Serves() {
					assert.Empty(t, c.Notes)
					continue
				}
				got = append(got, fmt.Sprintf("%s %s", c.Mode, c.Device))
				n := c.Network("n")
				if c.Mode == network.ForwardNAT || c.Mode == network.ForwardRoute {
					n.IPs = []network.IP{{Address: address(t, "10.1.1.1"), PrefixLen: schema.Num(24)}}
				}
				require.NoError(t, n.Validate(), "%s", normalized(t, n, schema.Rules{}))
				assert.Equal(t, c.Mode, n.Mode())
			}
			assert.Equal(t, want, got)
			assert.Len(t, modes, 9, "every mode is told of")
		})
	}
}

func address(t *testing.T, text string) schema.Addr {
	t.Helper()
	a, err := schema.ParseAddr(text)
	require.NoError(t, err)
	return a
}

// obstacles returns what speaks against a mode on a device.
func candidate(t *testing.T, i network.Intent, mode network.ForwardMode, device string) network.Candidate {
	t.Helper()
	for _, c := range i.Candidates(hostDevices()) {
		if c.Mode == mode && c.Device == device {
			return c
		}
	}
	t.Fatalf("no candidate %s on %s", mode, device)
	return network.Candidate{}
}

func TestIntentObstacles(t *testing.T) {
	tests := []struct {
		intent network.Intent
		mode   network.ForwardMode
		device string
		want   []network.Obstacle
	}{
		{network.LocalSwitching, network.ForwardVEPA, "", []network.Obstacle{network.OtherIntent}},
		{network.LocalSwitching, network.ForwardBridge, "lo", []network.Obstacle{network.IsLoopback}},
		{network.LocalSwitching, network.ForwardBridge, "eth2", []network.Obstacle{network.IsMember}},
		{network.LocalSwitching, network.ForwardBridge, "wlan0", []network.Obstacle{network.IsWireless}},
		{network.LocalSwitching, network.ForwardBridge, "mv0", []network.Obstacle{network.IsMacvtap}},
		{network.LocalSwitching, network.ForwardBridge, "whole", []network.Obstacle{network.TakenWhole}},
		{network.LocalSwitching, network.ForwardBridge, "vnet0", []network.Obstacle{network.IsMember, network.IsTap}},
		{network.LocalSwitching, network.ForwardHostdev, "pf1", []network.Obstacle{network.SwitchElsewhere}},
		{network.LocalSwitching, network.ForwardHostdev, "pf1v0", []network.Obstacle{network.PFDown, network.SwitchElsewhere}},
		{network.LocalSwitching, network.ForwardHostdev, "eth1", []network.Obstacle{network.NoFunctions}},
		{network.ExternalSwitching, network.ForwardVEPA, "br0", []network.Obstacle{network.IsBridge}},
		{network.ExternalSwitching, network.ForwardHostdev, "pf0", []network.Obstacle{network.SwitchInside}},
		{network.ExternalSwitching, network.ForwardNAT, "", []network.Obstacle{network.OtherIntent}},
		{network.Isolation, network.ForwardBridge, "ovs0", []network.Obstacle{network.CannotBeIsolated}},
		{network.Isolation, network.ForwardBridge, "eth1", []network.Obstacle{network.OtherIntent}},
		{network.ExclusiveDevice, network.ForwardPassthrough, "busy", []network.Obstacle{network.HasMacvtaps}},
		{network.ExclusiveDevice, network.ForwardPassthrough, "eth0", []network.Obstacle{network.HostNeedsIt}},
		{network.ExclusiveDevice, network.ForwardPassthrough, "pf1v0", []network.Obstacle{network.PFDown}},
		{network.ExclusiveDevice, network.ForwardHostdev, "bond0", []network.Obstacle{network.NotPCI}},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.intent, tt.mode, tt.device), func(t *testing.T) {
			c := candidate(t, tt.intent, tt.mode, tt.device)
			assert.Equal(t, tt.want, c.Obstacles)
			assert.False(t, c.Serves())
		})
	}
}

func TestIntentNotes(t *testing.T) {
	assert.Equal(t, []network.Note{network.HostUnreachable, network.NeedsReflection}, candidate(t, network.ExternalSwitching, network.ForwardVEPA, "eth0").Notes)
	assert.Equal(t, []network.Note{network.NoReflection}, candidate(t, network.ExternalSwitching, network.ForwardVEPA, "bond0").Notes)
	assert.Equal(t, []network.Note{network.BringsUp}, candidate(t, network.ExternalSwitching, network.ForwardVEPA, "eth1").Notes)
	assert.Equal(t, []network.Note{network.BringsUp, network.WeakIsolation}, candidate(t, network.Isolation, network.ForwardPrivate, "eth1").Notes)
	assert.Empty(t, candidate(t, network.Isolation, network.ForwardPrivate, "bond0").Notes)
	assert.True(t, candidate(t, network.Isolation, network.ForwardBridge, "br0").Isolated)
}

func TestIntentWithoutDevices(t *testing.T) {
	for _, c := range network.ExclusiveDevice.Candidates(nil) {
		assert.False(t, c.Serves())
		if c.Mode == network.ForwardPassthrough {
			assert.Equal(t, []network.Obstacle{network.NoDevice}, c.Obstacles)
		}
	}
	assert.Equal(t, network.ForwardNAT, network.LocalSwitching.Candidates(nil)[0].Mode, "what nobody asks for is a bridge of the host's own")
	assert.Equal(t, "local switching", network.Intent(0).String())
}
