// SPDX-License-Identifier: Apache-2.0

package nft

import (
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
)

// Table is the name of the table, of family inet, that holds all filters.
const Table = "virtnet"

// A list is one of the three lists of rules of a filter.
type list int

const (
	from list = iota
	to
	nat
)

const lists = nat + 1

// String is the name of the map that leads to the list, and the first word of its chains.
func (l list) String() string { return [lists]string{"from", "to", "nat"}[l] }

// chain is the name of the chain that holds the list of a network.
func (l list) chain(network string) string { return l.String() + "-" + network }

// rules are those of the list.
func (l list) rules(f host.Filter) []host.Rule { return [lists][]host.Rule{f.From, f.To, f.NAT}[l] }

// chainOwner tells which list of which network a chain holds.
func chainOwner(chain string) (l list, network string, ok bool) {
	for l := range lists {
		if id, found := strings.CutPrefix(chain, l.String()+"-"); found && host.CheckID(id) == nil {
			return l, id, true
		}
	}
	return 0, "", false
}

// A base is a chain that the kernel calls, by nft's words and its own numbers.
type base struct {
	name, kind, hook, priority string
	hooknum                    uint32
	prionum                    int32
	// leads are the rules of the chain: each looks a name of a link up and goes to a list.
	leads []lead
}

type lead struct {
	// out is whether the link is the one the packet leaves by.
	out bool
	to  list
}

func bases() [2]base {
	return [2]base{{
		name: "forward", kind: "filter", hook: "forward", priority: "filter",
		hooknum: 2, prionum: 0,
		leads: []lead{{out: false, to: from}, {out: true, to: to}},
	}, {
		name: "postrouting", kind: "nat", hook: "postrouting", priority: "srcnat",
		hooknum: 4, prionum: 100,
		leads: []lead{{out: false, to: nat}},
	}}
}
