// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"net/netip"

	"github.com/go-virtnet/virtnet/network/host"
)

var register0 = host.Register{Link: "br0", Domain: "lab.example", Server: netip.MustParseAddr("192.168.7.1")}

func registerCases() []opCase {
	return []opCase{{
		name:       "Register",
		before:     []host.Op{br0, up("br0")},
		op:         register0,
		changes:    "+resolver br0 servers [192.168.7.1] domains ~lab.example\n",
		repeatable: true,
		bad: []host.Op{
			with(register0, func(o *host.Register) { o.Domain = "" }),
			with(register0, func(o *host.Register) { o.Domain = "." }),
			with(register0, func(o *host.Register) { o.Domain = "~lab" }),
			with(register0, func(o *host.Register) { o.Server = netip.Addr{} }),
			with(register0, func(o *host.Register) { o.Link = "" }),
		},
		dangling: []host.Op{with(register0, func(o *host.Register) { o.Link = "br9" })},
	}, {
		name:       "Register IPv6",
		before:     []host.Op{br0, up("br0")},
		op:         host.Register{Link: "br0", Domain: "lab.example", Server: netip.MustParseAddr("2001:db8:7::1")},
		changes:    "+resolver br0 servers [2001:db8:7::1] domains ~lab.example\n",
		repeatable: true,
	}}
}

func registerEffects() []effect {
	return []effect{{
		name:    "a link takes its name servers along",
		before:  []host.Op{br0, up("br0"), register0},
		op:      br0.Inverse(),
		changes: "-link br0 type bridge mac 52:54:00:00:00:01 mtu 1500 up stp off delay 0 owner \"virtnet 1\"\n-resolver br0 servers [192.168.7.1] domains ~lab.example\n",
	}, {
		name:    "other names are asked for",
		before:  []host.Op{br0, up("br0"), register0},
		op:      with(register0, func(o *host.Register) { o.Domain = "other.example" }),
		changes: "-resolver br0 servers [192.168.7.1] domains ~lab.example\n+resolver br0 servers [192.168.7.1] domains ~other.example\n",
	}}
}
