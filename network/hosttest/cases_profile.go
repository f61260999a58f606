// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
)

// profile1 is that of a guest at a card itself.
var profile1 = host.AddProfile{
	Profile: host.Profile{Link: "tap0", VF: host.Self, Name: "web", Guest: host.UUID{15: 7}}, MAC: host.MAC{0x52, 0x54, 0, 0, 0, 7},
}

func profileCases() []opCase {
	function := with(profile1, func(o *host.AddProfile) { o.VF = 3 })
	return []opCase{{
		name:    "AddProfile",
		before:  []host.Op{tap0},
		op:      profile1,
		changes: "+profile dev tap0 profile \"web\" guest 00000000-0000-0000-0000-000000000007\n",
		bad: []host.Op{
			with(profile1, func(o *host.AddProfile) { o.Name = "" }),
			with(profile1, func(o *host.AddProfile) { o.Name = strings.Repeat("x", 40) }),
			with(profile1, func(o *host.AddProfile) { o.Name = "a\n" }),
			with(profile1, func(o *host.AddProfile) { o.VF = -2 }),
			with(profile1, func(o *host.AddProfile) { o.Guest = host.UUID{} }),
			with(profile1, func(o *host.AddProfile) { o.MAC[0] |= 1 }),
		},
		dangling: []host.Op{with(profile1, func(o *host.AddProfile) { o.Link = "tap9" })},
		foreign:  [][]host.Op{{tap0, with(profile1, func(o *host.AddProfile) { o.Name = "db" })}},
	}, {
		name:    "AddProfile of a virtual function",
		before:  []host.Op{tap0},
		op:      function,
		changes: "+profile dev tap0 vf 3 profile \"web\" guest 00000000-0000-0000-0000-000000000007\n",
	}}
}
