// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/go-virtnet/virtnet/network/host"
)

// The ports that the cases are about.
var (
	quiet0   = host.Plug{Link: "tap0", Bridge: "br0", NoLearning: true, NoFlood: true, Station: host.MAC{0x52, 0x54, 0, 0, 0, 0x11}}
	quiet1   = with(quiet0, func(o *host.Plug) { o.Station[5] = 0x12 })
	access   = with(quiet0, func(o *host.Plug) { o.VLANs = host.NewVLANs(42, false) })
	trunk    = with(quiet0, func(o *host.Plug) { o.VLANs = host.NewVLANs(7, true, 5, 42, 43, 44, 4094) })
	onlyTags = host.Plug{Link: "tap0", Bridge: "br0", VLANs: host.NewVLANs(0, false, 1, 2)}
	apart    = with(br0, func(o *host.AddBridge) { o.VLANFiltering = true })
)

func vlanCases() []opCase {
	const (
		tap = "link tap0 type tap mac fe:54:00:00:00:01 mtu 1500"
		br  = "link br0 type bridge mac 52:54:00:00:00:01 mtu 1500 stp off delay 0"
	)
	quiet := tap + " master br0 learning off flood off"
	return []opCase{{
		name:    "Plug with a station",
		before:  []host.Op{br0, tap0},
		op:      quiet0,
		changes: "-" + tap + " owner \"guest 1\"\n+" + quiet + " owner \"guest 1\"\n+station 52:54:00:00:00:11 dev tap0\n",
		bad: []host.Op{
			with(quiet0, func(o *host.Plug) { o.NoLearning = false }),
			with(quiet0, func(o *host.Plug) { o.Station[0] |= 1 }),
			with(quiet0, func(o *host.Plug) { o.VLANs.Native = 4095 }),
			with(quiet0, func(o *host.Plug) { o.VLANs = host.VLANs{Tagged: "5,4"} }),
			with(quiet0, func(o *host.Plug) { o.VLANs = host.VLANs{Tagged: "4,5"} }),
			with(quiet0, func(o *host.Plug) { o.VLANs = host.VLANs{Native: 5, Tagged: "4-6"} }),
			with(quiet0, func(o *host.Plug) { o.VLANs = host.VLANs{Tagged: "0"} }),
			with(quiet0, func(o *host.Plug) { o.VLANs = host.VLANs{Tagged: "5-x"} }),
			with(quiet0, func(o *host.Plug) { o.VLANs = host.VLANs{NativeTagged: true, Tagged: "4"} }),
		},
	}, {
		name:       "SetPlug with another station",
		before:     []host.Op{br0, tap0, quiet0},
		op:         host.SetPlug{Plug: quiet1, Was: quiet0},
		changes:    "-station 52:54:00:00:00:11 dev tap0\n+station 52:54:00:00:00:12 dev tap0\n",
		repeatable: true,
	}, {
		name:   "SetPlug to a bridge that learns",
		before: []host.Op{br0, br1, tap0, quiet0},
		op:     host.SetPlug{Plug: plug("tap0", "br1"), Was: quiet0},
		changes: "-" + quiet + " owner \"guest 1\"\n-station 52:54:00:00:00:11 dev tap0\n+" +
			tap + " master br1 owner \"guest 1\"\n",
		repeatable: true,
	}, {
		name:    "AddBridge that keeps VLANs apart",
		vlans:   true,
		op:      apart,
		changes: "+" + br + " vlan filtering owner \"virtnet 1\"\n",
	}, {
		name:       "SetBridge to keep VLANs apart",
		vlans:      true,
		before:     []host.Op{br0},
		op:         host.SetBridge{Bridge: apart, Was: br0},
		changes:    "-" + br + " owner \"virtnet 1\"\n+" + br + " vlan filtering owner \"virtnet 1\"\n",
		repeatable: true,
	}, {
		name:       "FilterVLANs",
		vlans:      true,
		before:     []host.Op{br0, tap0},
		op:         host.FilterVLANs{Link: "br0"},
		changes:    "-" + br + " owner \"virtnet 1\"\n+" + br + " vlan filtering owner \"virtnet 1\"\n",
		repeatable: true,
		bad:        []host.Op{host.FilterVLANs{}},
		dangling:   []host.Op{host.FilterVLANs{Link: "br9"}, host.FilterVLANs{Link: "tap0"}},
	}, {
		name:   "Plug into a VLAN",
		vlans:  true,
		before: []host.Op{apart, tap0},
		op:     access,
		changes: "-" + tap + " owner \"guest 1\"\n+" + quiet + " vid 42 pvid untagged owner \"guest 1\"\n" +
			"+station 52:54:00:00:00:11 dev tap0\n",
	}, {
		name:    "Plug with tagged VLANs alone",
		vlans:   true,
		before:  []host.Op{br0, tap0},
		op:      onlyTags,
		changes: "-" + tap + " owner \"guest 1\"\n+" + tap + " master br0 vid 1-2 owner \"guest 1\"\n",
	}, {
		name:       "SetPlug with other VLANs",
		vlans:      true,
		before:     []host.Op{apart, tap0, access},
		op:         host.SetPlug{Plug: trunk, Was: access},
		changes:    "-" + quiet + " vid 42 pvid untagged owner \"guest 1\"\n+" + quiet + " vid 7 pvid vid 5,42-44,4094 owner \"guest 1\"\n",
		repeatable: true,
	}, {
		name:       "SetPlug into a VLAN",
		vlans:      true,
		before:     []host.Op{apart, tap0, quiet0},
		op:         host.SetPlug{Plug: access, Was: quiet0},
		changes:    "-" + quiet + " owner \"guest 1\"\n+" + quiet + " vid 42 pvid untagged owner \"guest 1\"\n",
		repeatable: true,
	}}
}

func vlanEffects() []effect {
	second := with(quiet0, func(o *host.Plug) { o.Link = "tap1" })
	return []effect{{
		name: "a station is behind one port of a bridge", before: []host.Op{br0, tap0, tap1, quiet0}, op: second, err: fs.ErrExist,
	}, {
		name:   "a station is behind one port of a bridge, also when that changes",
		before: []host.Op{br0, tap0, tap1, quiet0, with(quiet1, func(o *host.Plug) { o.Link = "tap1" })},
		op:     host.SetPlug{Plug: second, Was: with(quiet1, func(o *host.Plug) { o.Link = "tap1" })}, err: fs.ErrExist,
	}, {
		name:   "a link takes its station along",
		before: []host.Op{br0, tap0, quiet0},
		op:     tap0.Inverse(),
		changes: "-link tap0 type tap mac fe:54:00:00:00:01 mtu 1500 master br0 learning off flood off owner \"guest 1\"\n" +
			"-station 52:54:00:00:00:11 dev tap0\n",
	}}
}

// withoutVLANs is for a machine whose bridges cannot keep VLANs apart: one of the operations has to say so, and the
// test is skipped.
func (c opCase) withoutVLANs(t *testing.T, s Suite) {
	x := s.open(t)
	if x.look(host.Scope{VLANs: true}).VLANFiltering {
		return
	}
	for _, op := range append(c.before, c.op) {
		if err := x.try(op); errors.Is(err, errors.ErrUnsupported) {
			t.Skip("the machine's bridges cannot keep VLANs apart")
		} else if err != nil {
			t.Fatalf("%s: %v", op, err)
		}
	}
	t.Error("the machine says that its bridges cannot keep VLANs apart, and does it")
}
