// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"errors"
	"testing"

	"github.com/go-virtnet/virtnet/network/host"
)

func TestMachine(t *testing.T) {
	t.Run("zero", func(t *testing.T) {
		TestBackend(t, func(*testing.T) host.Backend { return &Machine{} })
	})
	t.Run("with what every kernel has", func(t *testing.T) {
		TestBackend(t, func(*testing.T) host.Backend {
			return &Machine{
				NoVLANFiltering: true,
				Shaping:         &host.Shaping{Queues: []host.Queue{host.BFIFO}, Means: []host.Means{host.Redirect}},
			}
		})
	})
	t.Run("with namespaces", func(t *testing.T) {
		var m *Machine
		Suite{
			Open:      func(*testing.T) host.Backend { m = New(); return m },
			Namespace: func(*testing.T) string { m.AddNamespace("/run/netns/blue"); return "/run/netns/blue" },
			OVS: func(t *testing.T, bridges ...string) {
				if err := m.AddOVS(bridges...); err != nil {
					t.Fatal(err)
				}
			},
			Others: func(_ *testing.T, fw host.Firewall) { m.SetFirewall(fw) },
			Learn: func(t *testing.T, link string, n host.Neighbour) {
				if err := m.Learn(link, n); err != nil {
					t.Fatal(err)
				}
			},
			Send: func(t *testing.T, made host.Op, frames int) {
				sent := host.Traffic{Packets: uint64(frames), Bytes: uint64(60 * frames)}
				if err := m.Count(made, host.Counters{Sent: sent}); err != nil {
					t.Fatal(err)
				}
			},
			Resolver:  func(*testing.T) { m.StartResolver() },
			Firewalld: func(*testing.T) { m.StartFirewalld("home", "work") },
			Libvirt: func(_ *testing.T, l host.Libvirt, leases []host.Lease) host.LibvirtServer {
				server := host.LibvirtServer{Network: l.Networks[0].Name, Link: "br0", Command: []string{"/usr/sbin/dnsmasq", "--leasefile-ro"}}
				l.Servers = []host.LibvirtServer{server}
				m.SetLibvirt(l)
				m.SetLibvirtLeases(server.Network, leases...)
				return server
			},
			PF: func(t *testing.T) (string, int) { return "eth8", addPF(t, m, "eth8", 12) },
			Switch: func(t *testing.T, link string) {
				t.Helper()
				switched := host.Switch{Link: link, Chassis: "rack 4", Port: "9", Relay: host.RelayPossible, VDP: true}
				if err := errors.Join(m.AddLink(link), m.SetSwitch(switched)); err != nil {
					t.Fatal(err)
				}
			},
		}.Run(t)
	})
}

// TestLoopbackIsUp runs the walk on a machine whose loopback device is up, as in most namespaces that tests make.
func TestLoopbackIsUp(t *testing.T) {
	TestBackend(t, func(t *testing.T) host.Backend {
		m := new(Machine)
		do(t, m, up(loopback))
		return m
	})
}

func addPF(t *testing.T, m *Machine, name string, functions int) int {
	t.Helper()
	if err := m.AddPF(name, functions); err != nil {
		t.Fatal(err)
	}
	return functions
}
