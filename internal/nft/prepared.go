// SPDX-License-Identifier: Apache-2.0

//go:build linux

package nft

import (
	"encoding/binary"

	"github.com/go-virtnet/virtnet/network/host"
	"golang.org/x/sys/unix"
)

// Prepared returns two transactions, byte for byte as the kernel takes them: one that adds a filter to a table that has none of
// that network, and one that takes it away again. With first there is no table before and after. They were made without a look at what there is and
// name no generation, and so are the least that the kernel needs for the work: what measurements compare with.
func Prepared(f host.Filter, first bool) (add, remove []byte) {
	v := &view{}
	adding, removing := newBatch(0), newBatch(0)
	if !first {
		v.table = &table{}
		v.bases, v.maps = shared(true)
	}
	v.frame(adding)
	v.set(adding, f)
	if first {
		removing.deleteTable()
		return withoutGeneration(adding), withoutGeneration(removing)
	}
	for l := range lists {
		v.chains[l] = state{true, true}
		v.elements = append(v.elements, leading(l, f.Link, l.chain(f.Network)))
	}
	v.remove(removing, f.Network)
	return withoutGeneration(adding), withoutGeneration(removing)
}

// leading is the element of a list's map that leads packets of a link to a chain.
func leading(l list, link, chain string) element {
	return element{l.String(), link, verdict{unix.NFT_JUMP, chain}}
}

// withoutGeneration ends a transaction and gives it a beginning that holds for any ruleset.
func withoutGeneration(b *batch) []byte {
	b.end()
	rest := b.out[binary.NativeEndian.Uint32(b.out):]
	var begin messages
	begin.raw(unix.NFNL_MSG_BATCH_BEGIN, 0, unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES, what{}, nil)
	return append(begin.out, rest...)
}
