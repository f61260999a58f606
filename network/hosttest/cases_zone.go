// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"io/fs"

	"github.com/go-virtnet/virtnet/network/host"
)

var zone0 = host.SetZone{Link: "br0", Zone: "home"}

func zoneCases() []opCase {
	return []opCase{{
		name:    "SetZone",
		op:      zone0,
		changes: "+zone home interface br0\n",
		bad: []host.Op{
			host.SetZone{Link: "br0"},
			host.SetZone{Zone: "home"},
			host.SetZone{Link: "br0", Zone: "my home"},
			host.SetZone{Link: "br0", Zone: "home", Was: "w\n"},
		},
		dangling: []host.Op{
			host.SetZone{Link: "br0", Zone: "nowhere"},
			host.SetZone{Link: "br0", Zone: "home", Was: "work"},
			host.SetZone{Link: "br0", Zone: "home", Was: "home"},
			host.SetZone{Link: "br0", Was: "nowhere"},
		},
		foreign: [][]host.Op{{host.SetZone{Link: "br0", Zone: "work"}}, {host.SetZone{Link: "br1", Zone: "home"}}},
	}, {
		name:       "SetZone from another",
		before:     []host.Op{host.SetZone{Link: "br0", Zone: "work"}, zone0Of("tap0")},
		op:         host.SetZone{Link: "br0", Zone: "home", Was: "work"},
		changes:    "-zone work interface br0\n+zone home interface br0\n",
		repeatable: true,
		dangling:   []host.Op{host.SetZone{Link: "tap0", Zone: "work", Was: "nowhere"}, host.SetZone{Link: "br0", Zone: "nowhere", Was: "work"}},
	}, {
		name:    "SetZone if there is one",
		op:      host.SetZone{Link: "br0", Zone: "work", Optional: true},
		changes: "+zone work interface br0\n",
	}}
}

func zone0Of(link string) host.SetZone { return with(zone0, func(o *host.SetZone) { o.Link = link }) }

func zoneEffects() []effect {
	return []effect{{
		name: "a zone that nobody demanded and that is not there",
		op:   host.SetZone{Link: "br0", Zone: "nowhere", Optional: true},
	}, {
		name:    "a link in a zone goes",
		before:  []host.Op{br0, zone0},
		op:      br0.Inverse(),
		changes: "-link br0 type bridge mac 52:54:00:00:00:01 mtu 1500 stp off delay 0 owner \"virtnet 1\"\n",
	}, {
		name:   "a link in another zone",
		before: []host.Op{zone0},
		op:     host.SetZone{Link: "br0", Zone: "work"},
		err:    fs.ErrExist,
	}, {
		name:   "a link in another zone than it was",
		before: []host.Op{zone0},
		op:     host.SetZone{Link: "br0", Was: "work"},
		err:    fs.ErrNotExist,
	}}
}
