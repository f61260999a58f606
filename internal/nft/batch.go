// SPDX-License-Identifier: Apache-2.0

//go:build linux

package nft

import (
	"encoding/binary"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// A batch is one transaction: the kernel carries out all of its messages or none.
type batch struct {
	messages
	last int
	maps uint32
	// objects is how many chains and maps there will be more than before the last operation, modulo 2^32; emptied that there
	// is no table then.
	objects uint32
	emptied bool
	// steps are those of the rule that was written last; their place is used again.
	steps []expr
}

// newBatch begins a transaction that the kernel refuses with ERESTART if its ruleset is of another generation.
func newBatch(generation uint32) *batch {
	b := &batch{}
	b.begin(generation)
	return b
}

// begin makes an empty transaction of one that is not needed any more, in its place.
func (b *batch) begin(generation uint32) {
	*b = batch{messages: messages{out: b.out[:0], what: b.what[:0]}, steps: b.steps[:0]}
	b.raw(unix.NFNL_MSG_BATCH_BEGIN, 0, unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES, what{verb: "change", object: "ruleset"}, func(w *writer) {
		w.number(unix.NFNL_BATCH_GENID, generation)
	})
}

// end ends the transaction. Only its last change is acknowledged: the kernel answers to whatever goes wrong, and every
// answer needs room in the socket.
func (b *batch) end() {
	b.acknowledge(b.last)
	b.raw(unix.NFNL_MSG_BATCH_END, 0, unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES, what{verb: "end of", object: "change"}, nil)
}

func (b *batch) change(kind int, flags netlink.HeaderFlags, verb, object string, body func(w *writer)) {
	b.last = len(b.out)
	b.message(kind, flags, what{verb, object, flags&netlink.Create != 0}, body)
}

const made = netlink.Create | netlink.Excl

// addTable makes the table, or wakes it up if somebody set it to sleep.
func (b *batch) addTable(flags netlink.HeaderFlags) {
	b.change(unix.NFT_MSG_NEWTABLE, flags, "add table", b.tableName(), func(w *writer) {
		w.text(unix.NFTA_TABLE_NAME, b.tableName())
		w.number(unix.NFTA_TABLE_FLAGS, 0)
	})
}

func (b *batch) deleteTable() {
	b.emptied = true
	b.dropTable()
}

func (b *batch) dropTable() {
	b.change(unix.NFT_MSG_DELTABLE, 0, "delete table", b.tableName(), func(w *writer) {
		w.text(unix.NFTA_TABLE_NAME, b.tableName())
	})
}

func (b *batch) addBase(c base) {
	b.objects++
	b.addHook(c)
	for _, lead := range c.leads {
		b.addProgram(c.name, lead.program())
	}
}

// addHook makes a chain that the kernel calls.
func (b *batch) addHook(c base) {
	b.change(unix.NFT_MSG_NEWCHAIN, made, "add chain", c.name, func(w *writer) {
		w.text(unix.NFTA_CHAIN_TABLE, b.tableName())
		w.text(unix.NFTA_CHAIN_NAME, c.name)
		w.nested(unix.NFTA_CHAIN_HOOK, func() {
			w.number(unix.NFTA_HOOK_HOOKNUM, c.hooknum)
			w.number(unix.NFTA_HOOK_PRIORITY, uint32(c.prionum))
		})
		w.number(unix.NFTA_CHAIN_POLICY, accept)
		w.text(unix.NFTA_CHAIN_TYPE, c.kind)
	})
}

const accept = 1 // NF_ACCEPT

func (b *batch) addChain(name string) {
	b.objects++
	b.change(unix.NFT_MSG_NEWCHAIN, made, "add chain", name, func(w *writer) {
		w.text(unix.NFTA_CHAIN_TABLE, b.tableName())
		w.text(unix.NFTA_CHAIN_NAME, name)
	})
}

func (b *batch) flushChain(name string) {
	b.change(unix.NFT_MSG_DELRULE, 0, "flush chain", name, func(w *writer) {
		w.text(unix.NFTA_RULE_TABLE, b.tableName())
		w.text(unix.NFTA_RULE_CHAIN, name)
	})
}

// deleteChain deletes a chain with its rules. The kernel refuses with EBUSY if something still leads to it.
func (b *batch) deleteChain(name string) {
	b.objects--
	b.change(unix.NFT_MSG_DELCHAIN, 0, "delete chain", name, func(w *writer) {
		w.text(unix.NFTA_CHAIN_TABLE, b.tableName())
		w.text(unix.NFTA_CHAIN_NAME, name)
	})
}

func (b *batch) addMap(name string) {
	b.maps++
	b.objects++
	b.change(unix.NFT_MSG_NEWSET, made, "add map", name, func(w *writer) {
		w.text(unix.NFTA_SET_TABLE, b.tableName())
		w.text(unix.NFTA_SET_NAME, name)
		w.number(unix.NFTA_SET_FLAGS, unix.NFT_SET_MAP)
		w.number(unix.NFTA_SET_KEY_TYPE, linkField.number)
		w.number(unix.NFTA_SET_KEY_LEN, unix.IFNAMSIZ)
		w.number(unix.NFTA_SET_DATA_TYPE, unix.NFT_DATA_VERDICT)
		w.number(unix.NFTA_SET_DATA_LEN, 0)
		w.number(unix.NFTA_SET_ID, b.maps)
		// For nft as well: the keys are in host byte order.
		w.bytes(unix.NFTA_SET_USERDATA, binary.NativeEndian.AppendUint32([]byte{0, 4}, hostOrder))
	})
}

func (b *batch) addElement(l list, link, chain string) {
	b.change(unix.NFT_MSG_NEWSETELEM, made, "add to map "+l.String()+" link", link, func(w *writer) {
		w.element(l.String(), link, &verdict{unix.NFT_JUMP, chain})
	})
}

func (b *batch) deleteElement(set, link string) {
	b.change(unix.NFT_MSG_DELSETELEM, 0, "delete from map "+set+" link", link, func(w *writer) {
		w.element(set, link, nil)
	})
}

func (b *batch) addRule(chain string, r host.Rule) {
	b.steps = program(b.steps[:0], r)
	b.addProgram(chain, b.steps)
}

func (b *batch) addProgram(chain string, steps []expr) {
	b.change(unix.NFT_MSG_NEWRULE, netlink.Create|netlink.Append, "add rule to chain", chain, func(w *writer) {
		w.text(unix.NFTA_RULE_TABLE, b.tableName())
		w.text(unix.NFTA_RULE_CHAIN, chain)
		w.program(unix.NFTA_RULE_EXPRESSIONS, steps)
	})
}
