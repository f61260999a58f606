// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
	"github.com/go-virtnet/virtnet/network/linux"
	"github.com/go-virtnet/virtnet/network/serve"
	"github.com/stretchr/testify/require"
)

// open gives a backend for a network namespace of the test's own.
func open(t testing.TB) (*linux.Backend, *testenv.Namespace) {
	t.Helper()
	testenv.NeedRoot(t)
	ns := testenv.New(t)
	return openAs(t, linux.Config{Namespace: ns.Path()}), ns
}

// openAs gives a backend with folders of its own.
func openAs(t testing.TB, config linux.Config) *linux.Backend {
	t.Helper()
	config.RunDir, config.Libvirt = t.TempDir(), t.TempDir()
	config.AgentPID = filepath.Join(config.RunDir, "lldpad.pid")
	b, err := linux.Open(config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

// TestConformanceHere: servers in this process pass the tests of the operations that are about servers.
func TestConformanceHere(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	var ns *testenv.Namespace
	var b *linux.Backend
	hosttest.Suite{
		Open: func(t *testing.T) host.Backend {
			ns = testenv.New(t)
			b = openAs(t, linux.Config{Namespace: ns.Path(), Engine: &serve.Engine{}})
			return b
		},
		Libvirt: func(t *testing.T, l host.Libvirt, leases []host.Lease) host.LibvirtServer {
			return playLibvirt(t, ns, b.LibvirtFolder(), l, leases)
		},
	}.RunOps(t, host.Serve{}, host.SetServer{}, host.TakeServer{})
}

func TestConformance(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	var ns *testenv.Namespace
	var guest *testenv.Namespace
	var sw *testenv.OpenVSwitch
	var b *linux.Backend
	bus := &testenv.Bus{}
	if testenv.HasFirewalld() {
		// One for all, for it takes seconds to start, and does not ask which links there are.
		bus = testenv.NewBus(t, "")
		testenv.New(t).NewFirewalld(t, bus, nil)
	}
	var resolver *testenv.Daemon
	hosttest.Suite{
		Open: func(t *testing.T) host.Backend {
			ns = testenv.New(t)
			sw = testenv.NewOpenVSwitch(t, ns)
			b = openAs(t, linux.Config{Namespace: ns.Path(), OVSDB: sw.Socket, SystemBus: bus.Address})
			return b
		},
		Without: without(t),
		Libvirt: func(t *testing.T, l host.Libvirt, leases []host.Lease) host.LibvirtServer {
			return playLibvirt(t, ns, b.LibvirtFolder(), l, leases)
		},
		Resolver: func(t *testing.T) {
			testenv.NeedFirewalld(t) // for the bus
			if resolver != nil {
				resolver.Stop()
			}
			resolver = ns.NewResolved(t, bus)
		},
		Firewalld: func(t *testing.T) {
			testenv.NeedFirewalld(t)
			f, err := b.Facts(t.Context(), host.Scope{Zones: true})
			require.NoError(t, err)
			for _, l := range f.Zones.Links {
				require.NoError(t, b.Do(t.Context(), host.SetZone{Link: l.Link, Was: l.Zone}))
			}
		},
		OVS: func(t *testing.T, bridges ...string) {
			sw.Datapath = "netdev" // whose ports look like other links
			sw.Start(t)
			sw.AddBridges(t, bridges...)
		},
		Others: func(t *testing.T, fw host.Firewall) { load(t, ns, ruleset(fw)) },
		Learn: func(t *testing.T, link string, n host.Neighbour) {
			state := "stale"
			if n.Confirmed {
				state = "reachable"
			}
			ns.Output(t, "ip", "neighbour", "replace", n.Addr.String(), "lladdr", n.MAC.String(), "dev", link, "nud", state)
		},
		Namespace: func(t *testing.T) string {
			guest = testenv.New(t)
			guest.SetSysctl(t, "net/ipv6/conf/default/disable_ipv6", "1") // it says nothing by itself
			return guest.Path()
		},
		Send: func(t *testing.T, made host.Op, frames int) {
			if _, ok := made.(host.AddOVSPort); ok && testing.Short() {
				testenv.Skip(t, "waits for five seconds until the switch has counted")
			}
			file := guestSide(t, b, ns, guest, made)
			for range frames {
				_, err := file.Write(frameTo(everybody, guestA, "counted"))
				require.NoError(t, err)
			}
			if _, ok := made.(host.AddOVSPort); !ok {
				return
			}
			testenv.WaitFor(t, 20*time.Second, "the switch has counted", func() bool {
				c, err := b.Counters(t.Context(), made)
				require.NoError(t, err)
				return c.Sent.Packets > 0
			})
		},
		Switch: func(t *testing.T, link string) {
			needAgent(t)
			outside := testenv.New(t)
			testenv.Connect(t, ns, outside, link, link)
			startAgent(t, outside, link, agentBridge)
		},
	}.Run(t)
}

// without are the operations that this machine cannot do: a profile takes a card that nobody has, and some kernels fill in no
// checksums.
func without(t *testing.T) []host.Op {
	t.Helper()
	b, _ := open(t)
	f, err := b.Facts(t.Context(), host.Scope{Repairs: true})
	require.NoError(t, err)
	if slices.Contains(f.Repairs, host.Fill) {
		return []host.Op{host.AddProfile{}}
	}
	return []host.Op{host.AddProfile{}, host.FillChecksums{}}
}

// tellers are the ways to tell a switch of guests.
var tellers = map[string]linux.Agent{"lldpad": linux.Lldpad, "native": linux.Native}

// TestConformanceOfTellers associates guests by way of each.
func TestConformanceOfTellers(t *testing.T) {
	needAgent(t)
	for name, agent := range tellers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if testing.Short() && agent == linux.Native {
				t.Skip("TestConformance does that, where no lldpad is set up")
			}
			var ns *testenv.Namespace
			var b *linux.Backend
			hosttest.Suite{
				Open: func(t *testing.T) host.Backend {
					ns = testenv.New(t)
					b = openAs(t, linux.Config{Namespace: ns.Path(), Agent: agent})
					return b
				},
				Switch: func(t *testing.T, link string) {
					outside := testenv.New(t)
					testenv.Connect(t, ns, outside, link, link)
					startAgent(t, outside, link, agentBridge)
					if agent == linux.Lldpad {
						startAgentIn(t, b.RunDir(), ns, link, agentStation).agree(t, link)
					}
				},
			}.RunOps(t, host.Associate{})
		})
	}
}

// guestSide is where a guest sends by the device that an operation has made, in its namespace if it has one.
func guestSide(t *testing.T, b *linux.Backend, ns, guest *testenv.Namespace, made host.Op) *os.File {
	t.Helper()
	// What stands on a tap has a wire when that is open.
	wired := func(ns *testenv.Namespace, link, lower string) {
		openTap(t, b, lower, 1)
		testenv.WaitFor(t, 20*time.Second, "the wire of "+link, func() bool {
			return strings.Contains(ns.Output(t, "ip", "link", "show", link), "state UP")
		})
	}
	switch made := made.(type) {
	case host.AddTap:
		return openTap(t, b, made.Link, 1)[0]
	case host.AddOVSPort:
		do(t, b, host.SetUp{Link: made.Link})
		return openTap(t, b, made.Link, 1)[0]
	case host.AddMacvtap:
		wired(ns, made.Link, made.Lower)
		return openMacvtap(t, b, made, 1)[0]
	case host.AddMacvlan:
		guest.Output(t, "ip", "link", "set", made.Link, "up")
		wired(guest, made.Link, made.Lower)
	default:
		guest.Output(t, "ip", "link", "set", "eth0", "up")
	}
	return packetSocket(t, guest, "eth0")
}

// ruleset is what other programs filter, as nft reads it.
func ruleset(fw host.Firewall) string {
	var b strings.Builder
	for _, c := range fw.Chains {
		fmt.Fprintf(&b, "add table %s %s\nadd chain %s", c.Family, c.Table, c)
		if c.Hook != "" {
			fmt.Fprintf(&b, " { type filter hook %s priority %d; policy %s; }", c.Hook, c.Priority, c.Policy)
		}
		b.WriteByte('\n')
	}
	for _, c := range fw.Chains {
		for _, r := range c.Rules {
			fmt.Fprintf(&b, "add rule %s %s\n", c, r.Text)
		}
	}
	return b.String()
}
