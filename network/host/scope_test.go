// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network/host"
)

func TestScopeAnd(t *testing.T) {
	a := host.Scope{Bare: []string{"b", "a"}, PCI: []host.PCI{{Bus: 2}, {Bus: 1}}, Links: []string{"br1", "br0"}, Routes: true, Sysctls: []string{"x"}, Filters: []string{"n1"}, Shapes: []string{"br0"}}
	b := host.Scope{Bare: []string{"c"}, All: true, Zones: true, Resolver: true, Libvirt: true, OVS: true, Switches: []string{"eth0"}, Associations: []string{"eth1"}, Profiles: []string{"eth2"}, Namespaces: []string{"/run/netns/a"}, OVSPorts: []string{"tap0"}, Macvtaps: true, Functions: []string{"eth8"}, PCI: []host.PCI{{Bus: 1}}, Shaping: true, Repairs: true, Filled: []string{"br1"}, Links: []string{"br0", "a"}, Forwarding: true, Sysctls: []string{"y"}, Servers: []string{"n1", "n1"}}
	want := host.Scope{
		All: true, Bare: []string{"a", "b", "c"}, Links: []string{"a", "br0", "br1"}, Routes: true, Forwarding: true,
		Sysctls: []string{"x", "y"}, Filters: []string{"n1"}, Servers: []string{"n1"}, Shapes: []string{"br0"}, Shaping: true, Repairs: true, Filled: []string{"br1"},
		Functions: []string{"eth8"}, PCI: []host.PCI{{Bus: 1}, {Bus: 2}}, Macvtaps: true, OVS: true, Switches: []string{"eth0"}, Associations: []string{"eth1"}, Profiles: []string{"eth2"}, Namespaces: []string{"/run/netns/a"}, OVSPorts: []string{"tap0"}, Libvirt: true, Zones: true, Resolver: true,
	}
	require.Equal(t, want, a.And(b))
	require.Equal(t, []string{"br1", "br0"}, a.Links, "the scopes stay as they are")
	require.Equal(t, a, a.And(host.Scope{}))
	require.True(t, b.HasLink("any") && b.HasFilter("any") && b.HasShape("any") && b.HasFilled("any") && b.HasServer("any") && b.HasOVSPort("any"))
	require.True(t, a.HasLink("a") && !a.HasAddrs("a") && a.HasAddrs("br0") && b.HasAddrs("a"))
	require.True(t, a.HasLink("br0") && a.HasFilter("n1") && a.HasShape("br0"))
	require.False(t, a.HasLink("br9") || a.HasFilter("n9") || a.HasShape("br9") || a.HasFilled("br1") || a.HasServer("n1") || a.HasOVSPort("tap0"))
	require.True(t, host.Scope{OVSPorts: []string{"tap0"}}.HasOVSPort("tap0"))
}

// TestScopeIsZero sets each field there is.
func TestScopeIsZero(t *testing.T) {
	require.True(t, host.Scope{}.IsZero())
	fields := reflect.TypeFor[host.Scope]()
	for i := range fields.NumField() {
		var s host.Scope
		switch v := reflect.ValueOf(&s).Elem().Field(i); v.Kind() {
		case reflect.Bool:
			v.SetBool(true)
		default:
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		}
		require.False(t, s.IsZero(), fields.Field(i).Name)
	}
}
