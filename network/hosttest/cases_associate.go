// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"io/fs"

	"github.com/go-virtnet/virtnet/network/host"
)

// vsi1 is a guest behind the card of [Suite].Switch.
var vsi1 = host.Associate{VSI: host.VSI{
	Link: switchedCard, Instance: host.UUID{0x09, 0xb1, 0x1c, 0x53, 0x8b, 0x5c, 0x4e, 0xeb, 15: 0x4f},
	Manager: 11, Type: 1193047, Version: 2, MAC: host.MAC{0x52, 0x54, 0, 0, 0, 7}, VLAN: 5,
}}

func associateCases() []opCase {
	const vsi = "dev eth9 mgrid 11 typeid 1193047 typeidver 2 uuid 09b11c53-8b5c-4eeb-0000-00000000004f filter 5-52:54:00:00:00:07\n"
	pre := with(vsi1, func(o *host.Associate) { o.Pre = true })
	second := with(vsi1, func(o *host.Associate) { o.Instance[15], o.MAC[5] = 0x50, 8 })
	return []opCase{{
		name:    "Associate",
		op:      vsi1,
		changes: "+association assoc " + vsi,
		bad: []host.Op{
			with(vsi1, func(o *host.Associate) { o.Instance = host.UUID{} }),
			with(vsi1, func(o *host.Associate) { o.Type = 1 << 24 }),
			with(vsi1, func(o *host.Associate) { o.MAC[0] |= 1 }),
			with(vsi1, func(o *host.Associate) { o.VLAN = 4095 }),
			with(vsi1, func(o *host.Associate) { o.Link = "" }),
		},
		dangling: []host.Op{with(vsi1, func(o *host.Associate) { o.Link = "none" })},
		foreign:  [][]host.Op{{with(vsi1, func(o *host.Associate) { o.MAC[5] = 8 })}},
	}, {
		name:    "Associate that makes ready",
		op:      pre,
		changes: "+association preassoc " + vsi,
	}, {
		name:    "Associate beside another",
		op:      second,
		changes: "+association assoc dev eth9 mgrid 11 typeid 1193047 typeidver 2 uuid 09b11c53-8b5c-4eeb-0000-000000000050 filter 5-52:54:00:00:00:08\n",
		foreign: [][]host.Op{{vsi1}},
	}}
}

func associateEffects() []effect {
	pre := with(vsi1, func(o *host.Associate) { o.Pre = true })
	const vsi = "dev eth9 mgrid 11 typeid 1193047 typeidver 2 uuid 09b11c53-8b5c-4eeb-0000-00000000004f filter 5-52:54:00:00:00:07\n"
	return []effect{{
		name: "a guest that the switch is ready for is associated", before: []host.Op{pre}, op: vsi1,
		changes: "-association preassoc " + vsi + "+association assoc " + vsi,
	}, {
		name: "an associated guest is not made ready for", before: []host.Op{vsi1}, op: pre, err: fs.ErrExist,
	}, {
		name: "an identity is that of one guest", before: []host.Op{vsi1}, op: with(vsi1, func(o *host.Associate) { o.VLAN = 6 }), err: fs.ErrExist,
	}, {
		name: "a guest is forgotten that was made ready for and then associated", before: []host.Op{pre, vsi1}, op: vsi1.Inverse(),
		changes: "-association assoc " + vsi,
	}, {
		name: "no guest is associated at a card that is off", before: []host.Op{vsi1, vsi1.Inverse(), host.SetDown{Link: switchedCard}},
		op: vsi1, err: fs.ErrNotExist,
	}}
}
