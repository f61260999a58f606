// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/hostdev"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/qos"
	"github.com/go-virtnet/virtnet/virtualport"
)

// liveNetworks are networks of each kind, by their names.
var liveNetworks = map[string]string{
	"nat":     `<forward mode='nat'/><bridge name='virbr0'/><bandwidth><inbound average='1000' peak='5000'/></bandwidth>`,
	"average": `<forward mode='nat'/><bridge name='virbr2'/><bandwidth><inbound average='1000'/></bandwidth>`,
	"inner":   `<bridge name='virbr1'/>`,
	"lan":     `<forward mode='bridge'/><bridge name='br0'/>`,
	"vepa":    `<forward mode='vepa'><interface dev='card1'/><interface dev='card2'/><interface dev='card3'/></forward>`,
	"veb":     `<forward mode='bridge'><interface dev='card4'/></forward>`,
	"pass":    `<forward mode='passthrough'><interface dev='card4'/><interface dev='card5'/></forward>`,
	"private": `<forward mode='private'><interface dev='card6'/><interface dev='card7'/></forward>`,
	"whole":   `<forward mode='hostdev' managed='yes'><address type='pci' bus='3' slot='16' function='0'/><address type='pci' bus='3' slot='16' function='2'/></forward>`,
	"pf":      `<forward mode='hostdev' managed='yes'><pf dev='card8'/></forward>`,
	"pfpass":  `<forward mode='passthrough'><pf dev='card8'/></forward>`,
	"none":    `<forward mode='vepa'/>`,
}

func live(t testing.TB, name string) *Network {
	t.Helper()
	text, ok := liveNetworks[name]
	require.True(t, ok, name)
	n, err := Parse(strings.NewReader("<network><name>" + name + "</name>" + text + "</network>"))
	require.NoError(t, err)
	return n
}

// cards are the facts of a machine with the cards 1 to 9, and two PCI devices without network devices; card8 has four
// functions, the network device of number 1 of which is gone.
func cards() *host.Facts {
	f := &host.Facts{}
	for i := range 9 {
		f.Links = append(f.Links, host.Link{Name: fmt.Sprint("card", i+1), Up: true})
	}
	for _, function := range []uint32{0, 2} {
		f.Functions = append(f.Functions, host.Function{PCI: host.PCI{Bus: 3, Slot: 16, Function: function}, Driver: "vfio-pci"})
	}
	for i := range 4 {
		fn := host.Function{PCI: host.PCI{Bus: 8, Slot: 2, Function: uint32(i)}, PF: "card8", Index: i, Driver: "cardvf", Link: fmt.Sprint("card8v", i)}
		if i == 1 {
			fn.Driver, fn.Link = "vfio-pci", ""
		} else {
			f.Links = append(f.Links, host.Link{Name: fn.Link, PCI: fn.PCI})
		}
		f.Functions = append(f.Functions, fn)
	}
	return f
}

// A desk is a table with networks that were offered what a machine has.
type desk struct {
	*testing.T
	*portTable
	facts *host.Facts
	next  int
}

func newDesk(t *testing.T, rules schema.Rules) *desk {
	return &desk{T: t, portTable: newPortTable(rules), facts: cards()}
}

func (d *desk) live(name string) *Network {
	d.Helper()
	n := live(d.T, name)
	require.NoError(d, d.offer(n, d.facts))
	d.network(name)
	return n
}

// port is a resolved port of a network, whose plug has all but the device. What says more of it.
func (d *desk) port(n *Network, what ...string) *Port {
	d.next++
	p := &Port{Owner: &Owner{Name: fmt.Sprint("guest", d.next)}, Plug: &Plug{Type: PlugDirect}}
	var err error
	p.UUID, err = schema.ParseUUID(fmt.Sprintf("10000000-0000-4000-8000-%012d", d.next))
	require.NoError(d, err)
	switch n.Mode() {
	case ForwardBridge:
		p.Plug.Mode = schema.MacvtapBridge
	case ForwardVEPA:
		p.Plug.Mode = schema.MacvtapVEPA
	case ForwardPrivate:
		p.Plug.Mode = schema.MacvtapPrivate
	case ForwardPassthrough:
		p.Plug.Mode = schema.MacvtapPassthrough
	case ForwardHostdev:
		p.Plug = &Plug{Type: PlugHostdevPCI, Managed: n.Forward.Managed}
	}
	if n.Managed() {
		p.Plug = &Plug{Type: PlugNetwork, Bridge: schema.Text(n.Bridge.Name)}
	} else if n.HostBridge() {
		p.Plug = &Plug{Type: PlugBridge, Bridge: schema.Text(n.Bridge.Name)}
	}
	for _, w := range what {
		var floor uint64
		if _, err := fmt.Sscanf(w, "floor %d", &floor); err == nil {
			p.Bandwidth = &qos.Bandwidth{Inbound: &qos.Rate{Floor: schema.Num(floor)}}
		} else if w == "qbh" {
			p.VirtualPort = &virtualport.VirtualPort{Type: virtualport.Qbh}
		} else {
			d.Fatalf("what is %q?", w)
		}
	}
	return p
}

// give allocates a port, and says what it got: its device and its traffic class.
func (d *desk) give(name string, what ...string) (got string, p *Port, err error) {
	d.Helper()
	n := d.live(name)
	p = d.port(n, what...)
	if err := d.allocate(n, p); err != nil {
		return "", p, err
	}
	return d.got(p), p, nil
}

func (d *desk) got(p *Port) string {
	switch {
	case p.Plug.Type == PlugDirect:
		return p.Plug.Dev.String()
	case p.Plug.Address != nil:
		return p.Plug.Address.String()
	case p.Bandwidth != nil:
		return "class " + p.Bandwidth.ClassID.String()
	}
	return ""
}

// must is give where nothing may fail.
func (d *desk) must(name string, what ...string) (string, *Port) {
	d.Helper()
	got, p, err := d.give(name, what...)
	require.NoError(d, err)
	return got, p
}

// refused is give that has to fail with that kind of error, and leaves no trace.
func (d *desk) refused(want error, name string, what ...string) string {
	d.Helper()
	d.live(name)
	before := d.dump()
	_, p, err := d.give(name, what...)
	require.ErrorIs(d, err, want)
	assert.Regexp(d, `^/network(port)?/[a-z/@\[\]0-9]+: `, err.Error(), "an error begins with a path")
	assert.False(d, p.Plug.Dev.Given() || p.Plug.Address != nil, "a refused port has no device")
	assert.Equal(d, before, d.dump(), "after %v", err)
	return err.Error()
}

// dump is all that a table says, as text.
func (t *portTable) dump() string {
	var lines []string
	for key, e := range t.ports {
		lines = append(lines, fmt.Sprint("port ", key, e.device, e.class, e.broken))
	}
	for d, h := range t.holdings {
		lines = append(lines, fmt.Sprint("device ", d, len(h.ports), len(h.alone), h.users))
	}
	for name, n := range t.networks {
		lines = append(lines, fmt.Sprint("network ", name, n.ports, n.floors.high, n.floors.low, classes(&n.floors)))
		if n.pool == nil {
			continue
		}
		for _, d := range n.pool.Devices() {
			lines = append(lines, fmt.Sprint("pool ", name, d, n.pool.Users(d), n.pool.Obstacle(d, false), n.pool.Obstacle(d, true)))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func classes(f *floors) (all []uint64) {
	for class := range uint64(64 * len(f.used)) {
		if f.has(class) {
			all = append(all, class)
		}
	}
	return all
}

var compatRules = schema.Rules{Compat: true}

// both runs a test by default and as libvirt does it.
func both(t *testing.T, test func(d *desk)) {
	t.Run("default", func(t *testing.T) { test(newDesk(t, schema.Rules{})) })
	t.Run("compat", func(t *testing.T) { test(newDesk(t, compatRules)) })
}

func TestLeastUsedDevice(t *testing.T) {
	both(t, func(d *desk) {
		var ports []*Port
		for _, want := range []string{"card1", "card2", "card3", "card1"} {
			got, p := d.must("vepa")
			assert.Equal(t, want, got)
			ports = append(ports, p)
		}
		require.NoError(d, d.release("vepa", ports[1].UUID))
		got, _ := d.must("vepa")
		assert.Equal(d, "card2", got)
		require.NoError(d, d.release("vepa", ports[0].UUID))
		got, _ = d.must("vepa")
		assert.Equal(d, "card1", got, "all have one user: the first of the list")
		require.ErrorIs(d, d.release("vepa", ports[0].UUID), fs.ErrNotExist)
	})
}

func TestDeviceForOne(t *testing.T) {
	both(t, func(d *desk) {
		for _, want := range []string{"card4", "card5"} {
			got, _ := d.must("pass")
			assert.Equal(d, want, got)
		}
		says := d.refused(ErrFull, "pass")
		if !d.rules.Compat {
			assert.Equal(d, `/network/forward: no device of network "pass" is free: `+
				`card4 is held alone by port 10000000-0000-4000-8000-000000000001 of guest "guest1" on network "pass"; `+
				`card5 is held alone by port 10000000-0000-4000-8000-000000000002 of guest "guest2" on network "pass"`, says)
		}
		for _, want := range []string{"0000:03:10.0", "0000:03:10.2"} {
			got, p := d.must("whole")
			assert.Equal(d, want, got)
			text, err := p.Format()
			require.NoError(d, err)
			assert.Contains(d, string(text), `<plug type='hostdev-pci' managed='yes'>`)
			assert.Regexp(d, `<address domain='0x0000' bus='0x03' slot='0x10' function='0x[02]'/>`, string(text))
		}
		d.refused(ErrFull, "whole")
		d.refused(fs.ErrNotExist, "none")
	})
}

func TestPrivateDevices(t *testing.T) {
	t.Run("shared", func(t *testing.T) {
		both(t, func(d *desk) {
			for _, want := range []string{"card6", "card7", "card6"} {
				got, _ := d.must("private")
				assert.Equal(d, want, got)
			}
			d.refused(ErrFull, "private", "qbh")
		})
	})
	t.Run("one alone", func(t *testing.T) {
		both(t, func(d *desk) {
			got, _ := d.must("private", "qbh")
			assert.Equal(d, "card6", got)
			wants := []string{"card7", "card7"}
			if d.rules.Compat {
				wants = []string{"card7", "card6"} // which the first has alone
			}
			for _, want := range wants {
				got, _ := d.must("private")
				assert.Equal(d, want, got)
			}
		})
	})
	t.Run("all alone", func(t *testing.T) {
		d := newDesk(t, schema.Rules{})
		d.must("private", "qbh")
		d.must("private", "qbh")
		assert.Contains(t, d.refused(ErrFull, "private"), `can be used: card6 is held alone by port`)
		d = newDesk(t, schema.Rules{Allow: []schema.Deviation{HeldAlone}})
		d.must("private", "qbh")
		d.must("private", "qbh")
		d.must("private")
	})
}

func TestAcrossNetworks(t *testing.T) {
	t.Run("alone", func(t *testing.T) {
		d := newDesk(t, schema.Rules{})
		d.must("pass")
		assert.Contains(t, d.refused(ErrFull, "veb"), `card4 is held alone by port 10000000-0000-4000-8000-000000000001 of guest "guest1" on network "pass"`)
	})
	t.Run("shared", func(t *testing.T) {
		d := newDesk(t, schema.Rules{})
		_, p := d.must("veb")
		d.must("veb")
		got, _ := d.must("pass")
		assert.Equal(t, "card5", got)
		assert.Contains(t, d.refused(ErrFull, "pass"), `card4 is used by port 10000000-0000-4000-8000-000000000001 of guest "guest1" on network "veb" and 1 more; card5 is held`)
		require.NoError(t, d.release("veb", p.UUID))
		d.refused(ErrFull, "pass")
	})
	t.Run("given back", func(t *testing.T) {
		d := newDesk(t, schema.Rules{})
		_, p := d.must("veb")
		d.live("pass")
		require.NoError(t, d.release("veb", p.UUID))
		got, _ := d.must("pass")
		assert.Equal(t, "card4", got)
	})
	for name, rules := range map[string]schema.Rules{"compat": compatRules, "allowed": {Allow: []schema.Deviation{HeldElsewhere}}} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, rules)
			d.must("pass")
			got, _ := d.must("veb")
			assert.Equal(t, "card4", got)
		})
	}
}

func TestPlainInterfaces(t *testing.T) {
	d := newDesk(t, schema.Rules{})
	plain := func(mode schema.MacvtapMode, dev string) *Port {
		p := d.port(live(t, "vepa"))
		p.Plug.Mode, p.Plug.Dev = mode, schema.Text(dev)
		return p
	}
	first := plain(schema.MacvtapPassthrough, "card4")
	require.NoError(t, d.attach(first, d.facts))
	require.ErrorIs(t, d.attach(first, d.facts), fs.ErrExist)
	err := d.attach(plain(schema.MacvtapVEPA, "card4"), d.facts)
	require.ErrorIs(t, err, fs.ErrExist)
	assert.Equal(t, `/networkport/plug/@dev: card4 is held alone by port 10000000-0000-4000-8000-000000000001 of guest "guest1" without a network`, err.Error())
	got, _ := d.must("pass")
	assert.Equal(t, "card5", got)
	d.refused(ErrFull, "veb")
	require.NoError(t, d.attach(plain(schema.MacvtapVEPA, "card1"), d.facts))
	require.NoError(t, d.attach(plain(schema.MacvtapBridge, "card1"), d.facts))
	require.ErrorIs(t, d.attach(plain(schema.MacvtapPassthrough, "card1"), d.facts), fs.ErrExist)
	require.NoError(t, d.release("", first.UUID))
	got, _ = d.must("veb")
	assert.Equal(t, "card4", got)

	d = newDesk(t, compatRules)
	require.NoError(t, d.attach(plain(schema.MacvtapPassthrough, "card4"), d.facts))
	require.NoError(t, d.attach(plain(schema.MacvtapPassthrough, "card4"), d.facts))
}

func TestNameAndAddressAreOneDevice(t *testing.T) {
	d := newDesk(t, schema.Rules{})
	vf := func() *Port {
		p := d.port(live(t, "whole"))
		a := hostdev.NewAddress(hostdev.Key{Bus: 8, Slot: 2})
		p.Plug.Address = &a
		return p
	}
	got, p := d.must("pfpass")
	require.Equal(t, "card8v0", got)
	err := d.attach(vf(), d.facts)
	require.ErrorIs(t, err, fs.ErrExist)
	assert.Contains(t, err.Error(), "/networkport/plug/address: 0000:08:02.0 is held alone by port")
	require.NoError(t, d.release("pfpass", p.UUID))
	taken := vf()
	require.NoError(t, d.attach(taken, d.facts))
	got, _ = d.must("pfpass")
	assert.Equal(t, "card8v2", got, "number 0 is passed through, number 1 has no network device")

	// What is passed through has no name any more; who knows it by name only still finds it.
	again := newPortTable(schema.Rules{})
	direct := d.port(live(t, "pass"))
	direct.Plug.Dev = "card8v0"
	again.restore("", direct, hostdev.Device{}, nil)
	require.NoError(t, again.attach(vf(), &host.Facts{}), "nobody knows that they are one")
	again = newPortTable(schema.Rules{})
	again.restore("", direct, hostdev.Device{}, nil)
	require.ErrorIs(t, again.attach(vf(), d.facts), fs.ErrExist)
	again = newPortTable(schema.Rules{})
	again.restore("", direct, hostdev.Device{Name: "card8v0", PCI: hostdev.Key{Bus: 8, Slot: 2}}, nil)
	require.ErrorIs(t, again.attach(vf(), &host.Facts{}), fs.ErrExist)
}

func TestFunctions(t *testing.T) {
	both(t, func(d *desk) {
		for i := range 4 {
			got, _ := d.must("pf")
			assert.Equal(d, fmt.Sprintf("0000:08:02.%d", i), got)
		}
		d.refused(ErrFull, "pf")
	})
	both(t, func(d *desk) {
		for _, want := range []string{"card8v0", "card8v2", "card8v3"} {
			got, _ := d.must("pfpass")
			assert.Equal(d, want, got)
		}
		says := d.refused(ErrFull, "pfpass")
		assert.Equal(d, !d.rules.Compat, strings.Contains(says, "; 0000:08:02.1 has no network device, its driver is vfio-pci; "), says)
	})
	both(t, func(d *desk) {
		d.facts.Functions = slices.DeleteFunc(d.facts.Functions, func(fn host.Function) bool { return fn.PF != "" && fn.Index == 2 })
		d.must("pf")
		d.must("pf")
		d.refused(ErrFull, "pf")
		d.facts.Functions = nil
		err := newPortTable(d.rules).offer(live(t, "pf"), d.facts)
		require.ErrorIs(t, err, fs.ErrNotExist)
		assert.Contains(d, err.Error(), "/network/forward/pf/@dev: card8 has no virtual functions")
	})
}

func TestFunctionsComeAndGo(t *testing.T) {
	both(t, func(d *desk) {
		_, first := d.must("pfpass")
		d.must("pfpass")
		d.must("pfpass")
		// Number 1 gets its network device back, and number 0 loses it although a guest has it.
		d.facts.Functions[2].Link = ""
		d.facts.Functions[3].Link, d.facts.Functions[3].Driver = "card8v1", "cardvf"
		d.facts.Links = append(d.facts.Links, host.Link{Name: "card8v1", PCI: d.facts.Functions[3].PCI})
		got, _, err := d.give("pfpass")
		if d.rules.Compat {
			require.ErrorIs(d, err, ErrFull)
			return
		}
		require.NoError(d, err)
		assert.Equal(d, "card8v1", got)
		require.NoError(d, d.release("pfpass", first.UUID))
		assert.Contains(d, d.refused(ErrFull, "pfpass"), "0000:08:02.0 has no network device")
	})
}

func TestBusyDevices(t *testing.T) {
	tests := []struct {
		name string
		busy func(f *host.Facts)
		want string // what passthrough says of card4
		also bool   // whether others cannot share it either
	}{
		{"gone", func(f *host.Facts) { f.Links = f.Links[4:] }, "is not on this host", true},
		{"bridge", func(f *host.Facts) { f.Links[3].Master = "br7" }, "is a port of bridge br7", true},
		{"bond", func(f *host.Facts) { f.Links[3].Member = "bond0" }, "is a part of bond0", true},
		{"macvtap", func(f *host.Facts) {
			f.Links = append(f.Links, host.Link{Name: "mv0", Kind: "macvtap", Lower: "card4", Mode: "passthru"})
		}, "is taken by the macvtap device mv0", true},
		{"address", func(f *host.Facts) {
			f.Addrs = append(f.Addrs, host.Addr{Link: "card4", Prefix: netip.MustParsePrefix("192.0.2.7/24")})
		}, "is used by the host, which has address 192.0.2.7/24 there", false},
		{"nothing", func(f *host.Facts) {
			f.Addrs = append(f.Addrs, host.Addr{Link: "card4", Prefix: netip.MustParsePrefix("fe80::1/64")})
			f.Links = append(f.Links, host.Link{Name: "mv0", Kind: "macvtap", Lower: "card4", Mode: "bridge"})
		}, "", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			both(t, func(d *desk) {
				test.busy(d.facts)
				got, _ := d.must("pass")
				if test.want == "" || d.rules.Compat {
					assert.Equal(d, "card4", got)
					return
				}
				assert.Equal(d, "card5", got)
				assert.Contains(d, d.refused(ErrFull, "pass"), "card4 "+test.want+"; card5 is held alone")
				if test.also {
					assert.Contains(d, d.refused(ErrFull, "veb"), "card4 "+test.want)
				} else {
					d.must("veb")
				}
			})
		})
	}
	d := newDesk(t, schema.Rules{})
	d.facts.Functions = d.facts.Functions[1:]
	d.facts.Functions[0].Link = "late"
	d.facts.Addrs = append(d.facts.Addrs, host.Addr{Link: "late", Prefix: netip.MustParsePrefix("192.0.2.7/24")})
	says := d.refused(ErrFull, "whole")
	assert.Contains(t, says, "0000:03:10.0 is not on this host; 0000:03:10.2 is used by the host, which has address 192.0.2.7/24 there")
}

func TestOwnMacvtapIsNoObstacle(t *testing.T) {
	d := newDesk(t, schema.Rules{})
	_, p := d.must("pass")
	d.facts.Links = append(d.facts.Links, host.Link{Name: "mv0", Kind: "macvtap", Lower: "card4", Mode: "passthru"})
	d.live("pass")
	require.NoError(t, d.release("pass", p.UUID))
	d.facts = cards()
	got, _ := d.must("pass")
	assert.Equal(t, "card4", got)
}

func TestErrorKindsDiffer(t *testing.T) {
	for _, kind := range []error{fs.ErrExist, fs.ErrNotExist, errors.ErrUnsupported} {
		assert.NotErrorIs(t, fail(ErrFull, "x"), kind)
	}
}

// TestTableAgreesWithPorts makes random changes, and compares with a table made of the same ports.
func TestTableAgreesWithPorts(t *testing.T) {
	both(t, func(d *desk) {
		random := rand.New(rand.NewPCG(7, 7))
		names := []string{"nat", "vepa", "veb", "pass", "private", "whole", "pf", "pfpass"}
		type pair struct {
			name string
			p    *Port
		}
		var ports []pair
		for range 1500 {
			name := names[random.IntN(len(names))]
			what := [][]string{nil, {"qbh"}}[random.IntN(2)]
			switch {
			case random.IntN(3) == 0 && len(ports) > 0:
				i := random.IntN(len(ports))
				require.NoError(d, d.release(ports[i].name, ports[i].p.UUID))
				ports = slices.Delete(ports, i, i+1)
			case name == "nat":
				if _, p, err := d.give(name, fmt.Sprint("floor ", random.IntN(900))); err == nil {
					ports = append(ports, pair{name, p})
				}
			default:
				if _, p, err := d.give(name, what...); err == nil {
					ports = append(ports, pair{name, p})
				}
			}
		}
		for _, name := range names {
			d.live(name)
		}
		again := newPortTable(d.rules)
		again.learn(d.facts)
		for _, name := range names {
			require.NoError(d, again.offer(live(t, name), d.facts))
		}
		for _, port := range ports {
			e, err := d.entry(port.name, port.p.UUID)
			require.NoError(d, err)
			again.restore(port.name, port.p, e.device, nil)
		}
		assert.Equal(d, d.dump(), again.dump())
		if d.rules.Compat {
			return
		}
		for device, h := range d.holdings {
			assert.True(d, len(h.alone) == 0 || len(h.ports) == 1, "%s %s", device, h)
		}
	})
}
