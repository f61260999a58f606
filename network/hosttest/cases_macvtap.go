// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"io/fs"

	"github.com/go-virtnet/virtnet/network/host"
)

// macvtapModes are those in which devices share the one below.
var macvtapModes = []string{"private", "vepa", "bridge"}

var (
	mv0 = host.AddMacvtap{Link: "mv0", Lower: "tap0", Mode: "bridge", MAC: host.MAC{0x52, 0x54, 0, 0, 0, 5}, Owner: "guest 5"}
	mv1 = host.AddMacvtap{Link: "mv1", Lower: "tap0", Mode: "vepa", MAC: host.MAC{0x52, 0x54, 0, 0, 0, 6}}
)

// alone is a device in mode passthru.
func alone(o host.AddMacvtap) host.AddMacvtap {
	o.Mode, o.Was = host.Passthru, tap0.MAC
	return o
}

// What the guest of mv0 takes: what is for it, and everything there is, by another address.
var (
	own0        = host.Receive{Link: "mv0", MAC: mv0.MAC}
	everything0 = host.Receive{
		Link: "mv0", MAC: host.MAC{0x52, 0x54, 0, 0, 0, 0x55}, Promiscuous: true, AllMulticast: true, Groups: []host.MAC{{1, 0, 0x5e, 1, 2, 3}},
	}
)

func takes(r host.Receive) host.SetReceive {
	return host.SetReceive{Link: "mv0", Receive: r, Was: own0}
}

func with0Link(r host.Receive, link string) host.Receive { r.Link = link; return r }

func promiscuous(r host.Receive) host.Receive { r.Promiscuous = true; return r }

func groups0(groups ...host.MAC) host.Receive {
	r := own0
	r.Groups = groups
	return r
}

func macvtapCases() []opCase {
	const (
		was = "mv0 type macvtap mac 52:54:00:00:00:05 mtu 1500 on tap0 mode bridge owner \"guest 5\""
		is  = "mv0 type macvtap mac 52:54:00:00:00:55 mtu 1500 on tap0 mode bridge owner \"guest 5\""
	)
	dangling := []host.Op{with(mv0, func(o *host.AddMacvtap) { o.Lower = "tap9" })}
	foreign := [][]host.Op{
		{tap0, with(mv0, func(o *host.AddMacvtap) { o.MAC, o.Owner = mv1.MAC, "another" })},
		{tap0, tap1, with(mv0, func(o *host.AddMacvtap) { o.Lower = "tap1" })},
		{tap0, with(tap1, func(o *host.AddTap) { o.Link, o.MAC = mv0.Link, mv0.MAC })},
	}
	cases := []opCase{{
		name:    "AddMacvtap",
		before:  []host.Op{tap0},
		op:      mv0,
		changes: "+link mv0 type macvtap mac 52:54:00:00:00:05 mtu 1500 on tap0 mode bridge owner \"guest 5\"\n",
		bad: []host.Op{
			with(mv0, func(o *host.AddMacvtap) { o.Mode = "passthrough" }),
			with(mv0, func(o *host.AddMacvtap) { o.Lower = o.Link }),
			with(mv0, func(o *host.AddMacvtap) { o.MAC[0] |= 1 }),
			with(mv0, func(o *host.AddMacvtap) { o.Was = tap0.MAC }),
			with(mv0, func(o *host.AddMacvtap) { o.Queues = host.MaxQueues + 1 }),
		},
		dangling: dangling,
		foreign:  foreign,
	}, {
		name:    "AddMacvtap with everything",
		before:  []host.Op{tap0},
		op:      with(mv0, func(o *host.AddMacvtap) { o.MTU, o.Queues, o.VnetHdr = 1400, 4, true }),
		changes: "+link mv0 type macvtap mac 52:54:00:00:00:05 mtu 1400 on tap0 mode bridge owner \"guest 5\"\n",
	}, {
		name:    "AddMacvtap that is too small for IPv6",
		before:  []host.Op{tap0},
		op:      with(mv0, func(o *host.AddMacvtap) { o.MTU = 1200 }),
		changes: "+link mv0 type macvtap mac 52:54:00:00:00:05 mtu 1200 on tap0 mode bridge owner \"guest 5\"\n",
	}, {
		name:   "AddMacvtap in mode passthru",
		before: []host.Op{tap0},
		op:     alone(mv0),
		changes: `-link tap0 type tap mac fe:54:00:00:00:01 mtu 1500 owner "guest 1"
+link mv0 type macvtap mac 52:54:00:00:00:05 mtu 1500 on tap0 mode passthru owner "guest 5"
+link tap0 type tap mac 52:54:00:00:00:05 mtu 1500 owner "guest 1"
`,
		dangling: dangling,
	}, {
		name:   "SetReceive",
		before: []host.Op{tap0, mv0},
		op:     takes(everything0),
		changes: "-link " + was + "\n-receive " + mv0.Link + " address 52:54:00:00:00:05 promisc off allmulticast off\n" +
			"+link " + is + "\n+receive " + everything0.String() + "\n",
		repeatable: true,
		bad: []host.Op{
			host.SetReceive{Link: "mv0", Receive: everything0, Was: with0Link(own0, "mv1")},
			host.SetReceive{Link: "mv0", Receive: host.Receive{Link: "mv0"}, Was: own0},
			takes(groups0(host.MAC{2})), takes(groups0(host.MAC{1, 2}, host.MAC{1, 1})), takes(groups0(make([]host.MAC, host.MaxGroups+1)...)),
		},
		dangling: []host.Op{host.SetReceive{Link: "mv9", Receive: with0Link(everything0, "mv9"), Was: with0Link(own0, "mv9")}},
	}, {
		name:       "SetReceive of groups alone",
		before:     []host.Op{tap0, mv0, up("tap0"), up("mv0")},
		op:         takes(groups0(host.MAC{1, 0, 0x5e, 1, 2, 3}, host.MAC{0x33, 0x33, 0, 0, 0, 9})),
		changes:    "-receive " + own0.String() + "\n+receive " + own0.String() + " groups 01:00:5e:01:02:03,33:33:00:00:00:09\n",
		repeatable: true,
	}, {
		name:   "SetReceive in mode passthru",
		before: []host.Op{tap0, alone(mv0), up("tap0"), up("mv0")},
		op:     host.SetReceive{Link: "mv0", Receive: own0, Was: promiscuous(own0)},
		changes: "-receive mv0 address 52:54:00:00:00:05 promisc on allmulticast off\n" +
			"+receive mv0 address 52:54:00:00:00:05 promisc off allmulticast off\n",
		repeatable: true,
	}, {
		name:   "Raise",
		before: []host.Op{tap0},
		op:     host.Raise{Link: "tap0"},
		changes: "-link tap0 type tap mac fe:54:00:00:00:01 mtu 1500 owner \"guest 1\"\n" +
			"+link tap0 type tap mac fe:54:00:00:00:01 mtu 1500 up owner \"guest 1\"\n",
		repeatable: true,
		bad:        []host.Op{host.Raise{}},
		dangling:   []host.Op{host.Raise{Link: "tap9"}},
	}}
	for _, mode := range macvtapModes {
		cases = append(cases, opCase{
			name:    "AddMacvtap in mode " + mode + " beside another",
			before:  []host.Op{tap0, mv1},
			op:      with(mv0, func(o *host.AddMacvtap) { o.Mode = mode }),
			changes: "+link mv0 type macvtap mac 52:54:00:00:00:05 mtu 1500 on tap0 mode " + mode + " owner \"guest 5\"\n",
		})
	}
	return cases
}

func macvtapEffects() []effect {
	effects := []effect{{
		name: "a macvtap device on a bridge", before: []host.Op{br0}, op: with(mv0, func(o *host.AddMacvtap) { o.Lower = "br0" }),
		changes: "+link mv0 type macvtap mac 52:54:00:00:00:05 mtu 1500 on br0 mode bridge owner \"guest 5\"\n",
	}, {
		name: "no macvtap device on a port of a bridge", before: []host.Op{br0, tap0, plug("tap0", "br0")}, op: mv0, err: fs.ErrExist,
	}, {
		name: "a device below macvtap devices is no port of a bridge", before: []host.Op{br0, tap0, mv0}, op: plug("tap0", "br0"), err: fs.ErrExist,
	}, {
		name:   "an address is that of one device",
		before: []host.Op{tap0, up("tap0"), mv0, up("mv0"), mv1, up("mv1")},
		op:     takes(host.Receive{Link: "mv0", MAC: mv1.MAC}), err: fs.ErrExist,
	}, {
		name: "a macvtap device is no port of a bridge", before: []host.Op{br0, tap0, mv0}, op: plug("mv0", "br0"), err: fs.ErrExist,
	}, {
		name: "no macvtap device on another", before: []host.Op{tap0, mv0},
		op: with(mv1, func(o *host.AddMacvtap) { o.Lower = "mv0" }), err: fs.ErrInvalid,
	}, {
		name: "no macvtap device on the loopback device",
		op:   with(mv1, func(o *host.AddMacvtap) { o.Lower = "lo" }), err: fs.ErrInvalid,
	}, {
		name: "no mtu above that of the device below", before: []host.Op{tap1},
		op: with(mv1, func(o *host.AddMacvtap) { o.Lower, o.MTU = "tap1", 1500 }), err: fs.ErrInvalid,
	}, {
		name: "no mtu above that of the device below, later", before: []host.Op{tap1, with(mv1, func(o *host.AddMacvtap) { o.Lower = "tap1" })},
		op: host.SetMTU{Link: "mv1", MTU: 1500, Was: 1400}, err: fs.ErrInvalid,
	}, {
		name: "the mtu follows the device below when that shrinks", before: []host.Op{tap0, mv1}, op: host.SetMTU{Link: "tap0", MTU: 1400, Was: 1500},
		changes: `-link mv1 type macvtap mac 52:54:00:00:00:06 mtu 1500 on tap0 mode vepa
-link tap0 type tap mac fe:54:00:00:00:01 mtu 1500 owner "guest 1"
+link mv1 type macvtap mac 52:54:00:00:00:06 mtu 1400 on tap0 mode vepa
+link tap0 type tap mac fe:54:00:00:00:01 mtu 1400 owner "guest 1"
`,
	}, {
		name: "the mtu does not follow the device below when that grows", before: []host.Op{tap1, with(mv1, func(o *host.AddMacvtap) { o.Lower = "tap1" })},
		op: host.SetMTU{Link: "tap1", MTU: 1500, Was: 1400},
		changes: `-link tap1 type tap mac fe:54:00:00:00:02 mtu 1400
+link tap1 type tap mac fe:54:00:00:00:02 mtu 1500
`,
	}, {
		name: "macvtap devices go with the device below", before: []host.Op{tap0, mv0, mv1}, op: tap0.Inverse(),
		changes: `-link mv0 type macvtap mac 52:54:00:00:00:05 mtu 1500 on tap0 mode bridge owner "guest 5"
-link mv1 type macvtap mac 52:54:00:00:00:06 mtu 1500 on tap0 mode vepa
-link tap0 type tap mac fe:54:00:00:00:01 mtu 1500 owner "guest 1"
`,
	}, {
		name: "two macvtap devices that are up have two addresses", op: up("mv1"), err: fs.ErrExist,
		before: []host.Op{tap0, mv0, with(mv1, func(o *host.AddMacvtap) { o.MAC = mv0.MAC }), up("mv0")},
	}, {
		name: "a macvtap device that is up has another address than the device below", op: up("mv1"), err: fs.ErrExist,
		before: []host.Op{tap0, with(mv1, func(o *host.AddMacvtap) { o.MAC = tap0.MAC })},
	}, {
		name: "a macvtap device in mode passthru may have the address of the device below", before: []host.Op{tap0},
		op:      alone(with(mv0, func(o *host.AddMacvtap) { o.MAC = tap0.MAC })),
		changes: "+link mv0 type macvtap mac fe:54:00:00:00:01 mtu 1500 on tap0 mode passthru owner \"guest 5\"\n",
	}, {
		name: "a macvtap device is up while the one below is down", before: []host.Op{tap0, mv1}, op: up("mv1"),
		changes: `-link mv1 type macvtap mac 52:54:00:00:00:06 mtu 1500 on tap0 mode vepa
+link mv1 type macvtap mac 52:54:00:00:00:06 mtu 1500 up on tap0 mode vepa
`,
	}, {
		name: "mode passthru after mode passthru", before: []host.Op{tap0, alone(mv0)},
		op: with(alone(mv1), func(o *host.AddMacvtap) { o.Was = mv0.MAC }), err: fs.ErrInvalid,
	}}
	for _, mode := range macvtapModes {
		shared := with(mv1, func(o *host.AddMacvtap) { o.Mode = mode })
		effects = append(effects,
			effect{name: "mode passthru after mode " + mode, before: []host.Op{tap0, shared}, op: alone(mv0), err: fs.ErrInvalid},
			effect{name: "mode " + mode + " after mode passthru", before: []host.Op{tap0, alone(mv0)}, op: shared, err: fs.ErrInvalid},
		)
	}
	return effects
}
