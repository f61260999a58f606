// SPDX-License-Identifier: Apache-2.0

//go:build linux

package nft

import (
	"strings"

	"golang.org/x/sys/unix"
)

// A table is what the kernel says of our table.
type table struct {
	// use counts the chains and sets in it, also those of others.
	use     uint32
	dormant bool
}

// A chain is what the kernel says of a chain of our table.
type chain struct {
	name string
	// use counts its rules and what leads to it.
	use uint32
	// kind is empty for a chain that the kernel does not call.
	kind     string
	hook     uint32
	priority int32
	policy   uint32
	// link is the one it belongs to if it is of family netdev; several have a space between them.
	link string
}

// is reports whether the kernel calls the chain as it should, and it has that many rules.
func (c chain) is(b base, rules int) bool {
	return c.kind == b.kind && c.hook == b.hooknum && c.priority == b.prionum && c.policy == accept && c.use == uint32(rules)
}

// An element is what a map says of a link.
type element struct {
	set, link string
	leads     expr
}

// A rule is one of a chain of our table.
type rule struct {
	chain string
	steps []expr
}

// The readers get what follows the header of netfilter. Their second result is false for what is not in the table.

// hookLinks are the links of a chain of family netdev: NFTA_HOOK_DEVS.
const hookLinks = 4

func readGeneration(b []byte) uint32 {
	a := readAttrs(b)
	return a.number(unix.NFTA_GEN_ID)
}

func readTable(b []byte) table {
	a := readAttrs(b)
	return table{use: a.number(unix.NFTA_TABLE_USE), dormant: a.number(unix.NFTA_TABLE_FLAGS)&unix.NFT_TABLE_F_DORMANT != 0}
}

func readChain(b []byte, table string) (c chain, ok bool) {
	a := readAttrs(b)
	if a.text(unix.NFTA_CHAIN_TABLE) != table {
		return c, false
	}
	hook := a.nested(unix.NFTA_CHAIN_HOOK)
	var links []string
	each(hook.take(hookLinks), func(_ uint16, value []byte) { links = append(links, unix.ByteSliceToString(value)) })
	return chain{
		link:     strings.Join(links, " "),
		name:     a.text(unix.NFTA_CHAIN_NAME),
		use:      a.number(unix.NFTA_CHAIN_USE),
		kind:     a.text(unix.NFTA_CHAIN_TYPE),
		policy:   a.number(unix.NFTA_CHAIN_POLICY),
		hook:     hook.number(unix.NFTA_HOOK_HOOKNUM),
		priority: int32(hook.number(unix.NFTA_HOOK_PRIORITY)),
	}, true
}

// readMap reads the name of a map.
func readMap(b []byte) string {
	a := readAttrs(b)
	return a.text(unix.NFTA_SET_NAME)
}

// readElements reads what may be several elements of one map.
func readElements(b []byte) (found []element) {
	a := readAttrs(b)
	set := a.text(unix.NFTA_SET_ELEM_LIST_SET)
	if a.text(unix.NFTA_SET_ELEM_LIST_TABLE) != Table {
		return nil
	}
	each(a.take(unix.NFTA_SET_ELEM_LIST_ELEMENTS), func(_ uint16, value []byte) {
		e := readAttrs(value)
		found = append(found, element{
			set:   set,
			link:  unix.ByteSliceToString([]byte(e.value(unix.NFTA_SET_ELEM_KEY))),
			leads: readVerdict(&e, unix.NFTA_SET_ELEM_DATA),
		})
	})
	return found
}

func readRuleMessage(b []byte, table string) (r rule, ok bool) {
	a := readAttrs(b)
	if a.text(unix.NFTA_RULE_TABLE) != table {
		return r, false
	}
	return rule{chain: a.text(unix.NFTA_RULE_CHAIN), steps: readProgram(a.take(unix.NFTA_RULE_EXPRESSIONS))}, true
}
