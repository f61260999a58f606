// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"io/fs"

	"github.com/go-virtnet/virtnet/network/host"
)

// eth0 is a device in the namespace of a guest.
var eth0 = host.AddMacvlan{
	Link: "eth0", Lower: "tap0", Namespace: guest, Mode: "bridge", MAC: host.MAC{0x52, 0x54, 0, 0, 0, 7}, Owner: "guest 7",
}

// whole is a device in mode passthru.
func whole(o host.AddMacvlan) host.AddMacvlan {
	o.Mode, o.Was = host.Passthru, tap0.MAC
	return o
}

func macvlanCases() []opCase {
	const (
		is = "+guest link eth0 type macvlan mac 52:54:00:00:00:07 mtu 1500 on tap0 mode "
		in = " owner \"guest 7\" in /run/netns/guest\n"
	)
	dangling := []host.Op{
		with(eth0, func(o *host.AddMacvlan) { o.Lower = "tap9" }),
		with(eth0, func(o *host.AddMacvlan) { o.Namespace = "/nonexistent/namespace" }),
	}
	cases := []opCase{{
		name:    "AddMacvlan",
		before:  []host.Op{tap0},
		op:      eth0,
		changes: is + "bridge" + in,
		bad: []host.Op{
			with(eth0, func(o *host.AddMacvlan) { o.Mode = "passthrough" }),
			with(eth0, func(o *host.AddMacvlan) { o.MAC[0] |= 1 }),
			with(eth0, func(o *host.AddMacvlan) { o.Was = tap0.MAC }),
			with(eth0, func(o *host.AddMacvlan) { o.NoPromisc = true }),
			with(eth0, func(o *host.AddMacvlan) { o.Namespace = "guest" }),
		},
		dangling: dangling,
		foreign: [][]host.Op{
			{tap0, with(eth0, func(o *host.AddMacvlan) { o.Owner = "another" })},
			{tap0, with(eth0, func(o *host.AddMacvlan) { o.MAC, o.Owner = mv1.MAC, "" })},
			{tap0, tap1, with(eth0, func(o *host.AddMacvlan) { o.Lower = "tap1" })},
			{tap0, with(veth, func(o *host.AddVeth) { o.Peer, o.PeerMAC = eth0.Link, eth0.MAC })},
		},
	}, {
		name:    "AddMacvlan that is smaller",
		before:  []host.Op{tap0},
		op:      with(eth0, func(o *host.AddMacvlan) { o.MTU = 1200 }),
		changes: "+guest link eth0 type macvlan mac 52:54:00:00:00:07 mtu 1200 on tap0 mode bridge" + in,
	}, {
		name:    "AddMacvlan called as the device below",
		before:  []host.Op{tap0},
		op:      with(eth0, func(o *host.AddMacvlan) { o.Link = "tap0" }),
		changes: "+guest link tap0 type macvlan mac 52:54:00:00:00:07 mtu 1500 on tap0 mode bridge" + in,
	}}
	for _, nopromisc := range []bool{false, true} {
		name := "AddMacvlan in mode passthru"
		if nopromisc {
			name += " that takes no more than its guest asks for"
		}
		cases = append(cases, opCase{
			name:   name,
			before: []host.Op{tap0},
			op:     with(whole(eth0), func(o *host.AddMacvlan) { o.NoPromisc = nopromisc }),
			changes: "-link tap0 type tap mac fe:54:00:00:00:01 mtu 1500 owner \"guest 1\"\n" +
				"+link tap0 type tap mac 52:54:00:00:00:07 mtu 1500 owner \"guest 1\"\n" + is + "passthru" + in,
			dangling: dangling,
		})
	}
	for _, mode := range macvtapModes {
		cases = append(cases, opCase{
			name:    "AddMacvlan in mode " + mode + " beside a macvtap device",
			before:  []host.Op{tap0, mv1},
			op:      with(eth0, func(o *host.AddMacvlan) { o.Mode = mode }),
			changes: is + mode + in,
		})
	}
	return cases
}

func macvlanEffects() []effect {
	// An effect has the namespace of what comes before it, or of itself.
	const gone = "-guest link eth0 type macvlan mac 52:54:00:00:00:07 mtu 1500 on tap0 mode bridge owner \"guest 7\" in /run/netns/guest\n"
	effects := []effect{{
		name: "no macvlan device on a port of a bridge", before: []host.Op{br0, tap0, plug("tap0", "br0")}, op: eth0, err: fs.ErrExist,
	}, {
		name: "a device below macvlan devices is no port of a bridge", before: []host.Op{br0, tap0, eth0}, op: plug("tap0", "br0"), err: fs.ErrExist,
	}, {
		name: "no macvlan device on a macvtap device", before: []host.Op{tap0, mv0},
		op: with(eth0, func(o *host.AddMacvlan) { o.Lower = "mv0" }), err: fs.ErrInvalid,
	}, {
		name: "no macvlan device on the loopback device",
		op:   with(eth0, func(o *host.AddMacvlan) { o.Lower = "lo" }), err: fs.ErrInvalid,
	}, {
		name: "no mtu of a macvlan device above that of the device below", before: []host.Op{tap1},
		op: with(eth0, func(o *host.AddMacvlan) { o.Lower, o.MTU = "tap1", 1500 }), err: fs.ErrInvalid,
	}, {
		name: "the name in a namespace is that of one device", before: []host.Op{tap0, veth}, op: eth0, err: fs.ErrExist,
	}, {
		name: "the mtu in a namespace follows the device below when that shrinks", before: []host.Op{tap0, eth0}, op: host.SetMTU{Link: "tap0", MTU: 1400, Was: 1500},
		changes: `-link tap0 type tap mac fe:54:00:00:00:01 mtu 1500 owner "guest 1"
` + gone + `+link tap0 type tap mac fe:54:00:00:00:01 mtu 1400 owner "guest 1"
+guest link eth0 type macvlan mac 52:54:00:00:00:07 mtu 1400 on tap0 mode bridge owner "guest 7" in /run/netns/guest
`,
	}, {
		name: "macvlan devices go with the device below", before: []host.Op{tap0, eth0}, op: tap0.Inverse(),
		changes: "-link tap0 type tap mac fe:54:00:00:00:01 mtu 1500 owner \"guest 1\"\n" + gone,
	}}
	for _, mode := range macvtapModes {
		shared := with(eth0, func(o *host.AddMacvlan) { o.Mode = mode })
		effects = append(effects,
			effect{name: "mode passthru after a macvlan device in mode " + mode, before: []host.Op{tap0, shared}, op: alone(mv0), err: fs.ErrInvalid},
			effect{name: "a macvlan device in mode " + mode + " after mode passthru", before: []host.Op{tap0, alone(mv0)}, op: shared, err: fs.ErrInvalid},
			effect{
				name: "mode " + mode + " after a macvlan device in mode passthru", before: []host.Op{tap0, whole(eth0)},
				op: with(mv1, func(o *host.AddMacvtap) { o.Mode = mode }), err: fs.ErrInvalid,
			},
		)
	}
	return effects
}
