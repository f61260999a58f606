// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/hostdev"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/qos"
)

// sum is what the floors of a network have, all together and by their classes.
func (d *desk) sum(name string) string {
	text := fmt.Sprintf("%d:", d.network(name).floors.low)
	for _, class := range classes(&d.network(name).floors) {
		for _, e := range d.ports {
			if e.network == name && e.class == class {
				text += fmt.Sprintf(" %d=%d", class, e.port.floor())
			}
		}
	}
	return text
}

func inboundOf(average, floor uint64) *qos.Bandwidth {
	b := &qos.Bandwidth{Inbound: &qos.Rate{}}
	if average > 0 {
		b.Inbound.Average = schema.Num(average)
	}
	if floor > 0 {
		b.Inbound.Floor = schema.Num(floor)
	}
	return b
}

func TestFloors(t *testing.T) {
	both(t, func(d *desk) {
		got, first := d.must("nat", "floor 3000")
		assert.Equal(d, "class 3", got)
		assert.Equal(d, "3000: 3=3000", d.sum("nat"))
		got, _ = d.must("nat", "floor 2000")
		assert.Equal(d, "class 4", got)
		assert.Equal(d, "5000: 3=3000 4=2000", d.sum("nat"))
		assert.Equal(d, `/networkport/bandwidth/inbound/@floor: 1 kB/s is more than the 0 that are left of the peak of network "nat", 5000 kB/s`,
			d.refused(ErrFull, "nat", "floor 1"))
		require.NoError(d, d.release("nat", first.UUID))
		assert.Equal(d, "2000: 4=2000", d.sum("nat"))
		got, _ = d.must("nat", "floor 500")
		assert.Equal(d, "class 3", got)
		got, _ = d.must("nat")
		assert.Equal(d, "", got)
		got, _ = d.must("nat", "floor 0")
		assert.Equal(d, "class ", got, "a floor of 0 is none")
		assert.Equal(d, "2500: 3=500 4=2000", d.sum("nat"))
	})
}

func TestFloorsWithoutPeak(t *testing.T) {
	both(t, func(d *desk) {
		d.must("average", "floor 600")
		assert.Contains(d, d.refused(ErrFull, "average", "floor 401"), "401 kB/s is more than the 400 that are left of the average")
		d.must("average", "floor 400")
	})
}

func TestFloorsWhereNoneCanBe(t *testing.T) {
	both(t, func(d *desk) {
		assert.Contains(d, d.refused(errors.ErrUnsupported, "inner", "floor 1"), `network "inner" has no <inbound>`)
		for _, name := range []string{"lan", "vepa", "pass", "whole"} {
			assert.Contains(d, d.refused(errors.ErrUnsupported, name, "floor 1"), "a floor needs one of none, nat, route and open")
		}
	})
}

func TestFloorsDoNotWrap(t *testing.T) {
	both(t, func(d *desk) {
		d.must("nat", "floor 4000")
		for _, floor := range []uint64{math.MaxUint64, math.MaxUint64 - 3999, math.MaxUint64 - 4000, 1 << 63} {
			d.refused(ErrFull, "nat", fmt.Sprint("floor ", floor))
		}
		// Records may say anything.
		n := d.live("nat")
		var ids []schema.UUID
		for range 3 {
			p := d.port(n, fmt.Sprint("floor ", uint64(math.MaxUint64)))
			p.Bandwidth.ClassID = schema.Num(3)
			d.restore("nat", p, hostdev.Device{}, nil)
			ids = append(ids, p.UUID)
		}
		d.refused(ErrFull, "nat", "floor 1")
		for _, id := range ids {
			require.NoError(d, d.release("nat", id))
		}
		assert.Equal(d, "4000: 3=4000", d.sum("nat"))
		got, _ := d.must("nat", "floor 1000")
		assert.Equal(d, "class 4", got)
	})
}

func TestClasses(t *testing.T) {
	both(t, func(d *desk) {
		f := &d.network("nat").floors
		for class := uint64(firstClass); class <= lastClass; class++ {
			require.Equal(d, class, f.next())
			f.add(class, 0)
		}
		got, _, err := d.give("nat", "floor 1")
		if d.rules.Compat {
			require.NoError(d, err)
			assert.Equal(d, "class 65536", got)
		} else {
			assert.Contains(d, d.refused(ErrFull, "nat", "floor 1"), "no traffic class left, all of 3 to 65535 are in use")
		}
		f.remove(40000, 0)
		f.remove(500, 0)
		got, p := d.must("nat", "floor 1")
		assert.Equal(d, "class 500", got)
		got, _ = d.must("nat", "floor 1")
		assert.Equal(d, "class 40000", got)
		require.NoError(d, d.release("nat", p.UUID))
		assert.Equal(d, uint64(500), f.next())
	})
}

func TestChangeOfFloor(t *testing.T) {
	both(t, func(d *desk) {
		_, p := d.must("nat", "floor 3000")
		n := d.live("nat")
		before := d.dump()
		_, err := d.setBandwidth(n, p.UUID, inboundOf(0, 6000))
		require.ErrorIs(d, err, ErrFull)
		assert.Contains(d, err.Error(), "6000 kB/s is more than the 5000 that are left")
		assert.Equal(d, before, d.dump())

		got, err := d.setBandwidth(n, p.UUID, inboundOf(7, 4000))
		require.NoError(d, err)
		assert.Equal(d, "3", got.Bandwidth.ClassID.String())
		assert.Equal(d, "4000: 3=4000", d.sum("nat"))

		got, err = d.setBandwidth(n, p.UUID, inboundOf(10, 0))
		require.NoError(d, err)
		assert.Equal(d, "", got.Bandwidth.ClassID.String())
		assert.Equal(d, "0:", d.sum("nat"))

		_, other := d.must("nat", "floor 1")
		got, err = d.setBandwidth(n, p.UUID, inboundOf(0, 4999))
		require.NoError(d, err)
		assert.Equal(d, "4", got.Bandwidth.ClassID.String())
		assert.Equal(d, "class 3", d.got(other))

		// The limits of the network are gone: floors can still be given back, and no new ones be had.
		n.Bandwidth = nil
		_, err = d.setBandwidth(n, p.UUID, inboundOf(0, 4998))
		require.ErrorIs(d, err, errors.ErrUnsupported)
		_, err = d.setBandwidth(n, p.UUID, nil)
		require.NoError(d, err)
		require.NoError(d, d.release("nat", other.UUID))
		assert.Equal(d, "0:", d.sum("nat"))
		_, err = d.setBandwidth(n, other.UUID, nil)
		require.ErrorIs(d, err, fs.ErrNotExist)
	})
}

func TestReplace(t *testing.T) {
	both(t, func(d *desk) {
		_, old := d.must("nat", "floor 3000")
		n := d.live("nat")
		p := d.port(n, "floor 3000")
		before := d.dump()
		err := d.replace(n, old.UUID, p)
		if d.rules.Compat {
			require.ErrorIs(d, err, ErrFull)
			assert.Equal(d, before, d.dump())
			return
		}
		require.NoError(d, err)
		assert.Equal(d, "class 3", d.got(p))
		assert.Equal(d, "3000: 3=3000", d.sum("nat"))
		require.ErrorIs(d, d.replace(n, p.UUID, d.port(n, "floor 6000")), ErrFull)
		assert.Equal(d, "3000: 3=3000", d.sum("nat"))
	})
	both(t, func(d *desk) {
		d.must("vepa")
		_, old := d.must("vepa")
		n := d.live("vepa")
		p := d.port(n)
		require.NoError(d, d.replace(n, old.UUID, p))
		want := "card2"
		if d.rules.Compat {
			want = "card3"
		}
		assert.Equal(d, want, d.got(p))
		require.ErrorIs(d, d.replace(n, old.UUID, d.port(n)), fs.ErrNotExist)
	})
}

func TestClassOfCaller(t *testing.T) {
	both(t, func(d *desk) {
		n := d.live("nat")
		p := d.port(n)
		p.Bandwidth = inboundOf(10, 0)
		p.Bandwidth.ClassID = schema.Num(9)
		require.NoError(d, d.allocate(n, p))
		want := ""
		if d.rules.Compat {
			want = "9"
		}
		assert.Equal(d, want, p.Bandwidth.ClassID.String())
		assert.Equal(d, "0:", d.sum("nat"))
		require.NoError(d, d.release("nat", p.UUID))

		p = d.port(n, "floor 10")
		p.Bandwidth.ClassID = schema.Num(9)
		require.NoError(d, d.allocate(n, p))
		assert.Equal(d, "3", p.Bandwidth.ClassID.String())
	})
}

func TestReclaimBridge(t *testing.T) {
	both(t, func(d *desk) {
		for _, name := range []string{"nat", "lan"} {
			n := d.live(name)
			p := d.port(n)
			require.NoError(d, d.reclaim(n, p))
			require.ErrorIs(d, d.reclaim(n, p), fs.ErrExist)
			p = d.port(n)
			p.Plug.Bridge = "br9"
			err := d.reclaim(n, p)
			if d.rules.Compat {
				require.NoError(d, err)
				continue
			}
			require.ErrorIs(d, err, fs.ErrInvalid)
			assert.Contains(d, err.Error(), "/networkport/plug/@bridge: br9 is not the bridge of network")
		}
		n := d.live("vepa")
		err := d.reclaim(n, d.port(d.live("nat")))
		require.ErrorIs(d, err, fs.ErrNotExist)
		assert.Contains(d, err.Error(), `network "vepa" of mode vepa has no bridge`)
		p := d.port(n)
		p.Plug = nil
		require.ErrorIs(d, d.reclaim(n, p), fs.ErrInvalid)
		require.ErrorIs(d, d.allocate(n, p), fs.ErrInvalid)
	})
}

func TestReclaimDevice(t *testing.T) {
	both(t, func(d *desk) {
		n := d.live("pass")
		take := func(dev string) error {
			p := d.port(n)
			p.Plug.Dev = schema.Text(dev)
			before := d.dump()
			err := d.reclaim(n, p)
			if err != nil {
				assert.Equal(d, before, d.dump())
			}
			return err
		}
		err := take("card9")
		require.ErrorIs(d, err, fs.ErrNotExist)
		assert.Equal(d, `/networkport/plug/@dev: card9 is no device of network "pass"`, err.Error())
		require.NoError(d, take("card4"))
		err = take("card4")
		require.ErrorIs(d, err, fs.ErrExist)
		assert.Contains(d, err.Error(), `/networkport/plug/@dev: card4 is held alone by port`)
		d.facts.Links[4].Master = "br3" // what its guest does there is not known
		d.live("pass")
		require.NoError(d, take("card5"))

		n = d.live("whole")
		p := d.port(n)
		a := hostdev.NewAddress(hostdev.Key{Bus: 3, Slot: 16, Function: 2})
		p.Plug.Address = &a
		require.NoError(d, d.reclaim(n, p))
		got, _ := d.must("whole")
		assert.Equal(d, "0000:03:10.0", got)
	})
}

func TestReclaimFloor(t *testing.T) {
	both(t, func(d *desk) {
		n := d.live("nat")
		class := func(had, floor uint64) (string, error) {
			p := d.port(n, fmt.Sprint("floor ", floor))
			p.Bandwidth.ClassID = schema.Num(had)
			err := d.reclaim(n, p)
			return p.Bandwidth.ClassID.String(), err
		}
		if d.rules.Compat {
			got, err := class(7, 9000)
			require.NoError(d, err)
			assert.Equal(d, "7", got)
			assert.Equal(d, "0:", d.sum("nat"))
			return
		}
		for _, c := range []struct{ had, want uint64 }{{7, 7}, {7, 3}, {2, 4}, {1 << 40, 5}, {math.MaxUint64, 6}} {
			got, err := class(c.had, 500)
			require.NoError(d, err)
			assert.Equal(d, fmt.Sprint(c.want), got, "had %d", c.had)
		}
		before := d.dump()
		_, err := class(9, 2501)
		require.ErrorIs(d, err, ErrFull)
		assert.Equal(d, before, d.dump())
		got, err := class(9, 0)
		require.NoError(d, err)
		assert.Equal(d, "", got)
		assert.Equal(d, "2500: 3=500 4=500 5=500 6=500 7=500", d.sum("nat"))
	})
}

func TestBrokenPort(t *testing.T) {
	both(t, func(d *desk) {
		n := d.live("pass")
		p := d.port(n)
		p.Plug.Dev = "card4"
		why := errors.New("its bridge is gone")
		d.restore("pass", p, hostdev.Device{}, why)
		_, device, broken, err := d.lookup("pass", p.UUID)
		require.NoError(d, err)
		assert.Equal(d, why, broken)
		got, _ := d.must("pass")
		if d.rules.Compat {
			assert.Equal(d, "card4", got)
		} else {
			assert.Equal(d, "card5", got)
			assert.Equal(d, "card4", device.Name)
		}
		require.NoError(d, d.release("pass", p.UUID))
	})
}

func TestReleaseOfWhatIsGone(t *testing.T) {
	both(t, func(d *desk) {
		_, p := d.must("vepa")
		n := d.live("vepa")
		n.Forward.Interfaces = n.Forward.Interfaces[1:]
		require.NoError(d, d.offer(n, d.facts))
		err := d.release("vepa", p.UUID)
		if d.rules.Compat {
			require.ErrorIs(d, err, fs.ErrNotExist)
			assert.Equal(d, `/networkport/plug: card1 is no device of network "vepa"`, err.Error())
			return
		}
		require.NoError(d, err)
		assert.Empty(d, d.holdings)
	})
}

func TestOnePortTwice(t *testing.T) {
	both(t, func(d *desk) {
		for _, name := range []string{"nat", "pass"} {
			_, p := d.must(name)
			before := d.dump()
			again := d.port(d.live(name))
			again.UUID = p.UUID
			require.ErrorIs(d, d.allocate(d.live(name), again), fs.ErrExist)
			assert.Equal(d, before, d.dump())
		}
	})
}

func TestConnections(t *testing.T) {
	both(t, func(d *desk) {
		text := func(name string) string {
			n := d.live(name)
			before, err := n.Format()
			require.NoError(d, err)
			got, err := d.connections(n).Format()
			require.NoError(d, err)
			after, err := n.Format()
			require.NoError(d, err)
			assert.Equal(d, string(before), string(after))
			return string(got)
		}
		assert.NotContains(d, text("vepa"), "connections")
		var last *Port
		for range 4 {
			_, last = d.must("vepa")
		}
		assert.Contains(d, text("vepa"), `<network connections='4'>`)
		assert.Contains(d, text("vepa"), `<interface dev='card1' connections='2'/>`)
		assert.Contains(d, text("vepa"), `<interface dev='card3' connections='1'/>`)
		require.NoError(d, d.release("vepa", last.UUID))
		assert.Contains(d, text("vepa"), `<interface dev='card1' connections='1'/>`)

		d.must("nat")
		d.must("nat")
		assert.Contains(d, text("nat"), `<network connections='2'>`)
		d.must("pf")
		assert.Contains(d, text("pf"), `<network connections='1'>`)
		assert.Contains(d, text("pf"), "<pf dev='card8'/>\n    <address type='pci' domain='0x0000' bus='0x08' slot='0x02' function='0x0'/>\n    <address type='pci' domain='0x0000' bus='0x08' slot='0x02' function='0x1'/>")
		if d.rules.Compat {
			assert.Contains(d, text("pfpass"), "<pf dev='card8'/>\n    <interface dev='card8v0'/>\n    <interface dev='card8v2'/>\n    <interface dev='card8v3'/>")
		}
	})
}

// BenchmarkAllocate gives the last free virtual function of a network to a port and takes it back.
func BenchmarkAllocate(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			d := &desk{portTable: newPortTable(schema.Rules{}), facts: manyFunctions(n)}
			n := live(b, "pf")
			require.NoError(b, d.offer(n, d.facts))
			for i := range d.facts.Functions[1:] {
				p := &Port{Plug: &Plug{Type: PlugHostdevPCI}}
				p.UUID, _ = schema.ParseUUID(fmt.Sprintf("10000000-0000-4000-8000-%012d", i))
				require.NoError(b, d.allocate(n, p))
			}
			p := &Port{Plug: &Plug{Type: PlugHostdevPCI}}
			p.UUID, _ = schema.ParseUUID("20000000-0000-4000-8000-000000000000")
			for b.Loop() {
				if d.allocate(n, p) != nil || d.release("pf", p.UUID) != nil {
					b.Fatal("the last function was free")
				}
			}
		})
	}
}

// manyFunctions are the facts of a card with n virtual functions.
func manyFunctions(n int) *host.Facts {
	f := &host.Facts{}
	for i := range n {
		place := host.PCI{Domain: 1, Bus: uint32(i / 256), Slot: uint32(i/8) % 32, Function: uint32(i % 8)}
		f.Functions = append(f.Functions, host.Function{PCI: place, PF: "card8", Index: i})
	}
	return f
}
