// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/nft"
	"github.com/go-virtnet/virtnet/network/host"
)

// BenchmarkRules adds and deletes the packet filter of a network.
func BenchmarkRules(b *testing.B) {
	b.Run("add", func(b *testing.B) {
		benchmarkRules(b, func(b *testing.B, floor, own work) {
			// Floor is another program to the backend, which looks at what there is when somebody else has changed it.
			settled := work{floor.do, func() error { return inTurn([]func() error{floor.undo, own.do, own.undo}) }}
			compare(b, doing, settled, own)
		})
	})
	b.Run("add_after_others", func(b *testing.B) {
		benchmarkRules(b, func(b *testing.B, floor, own work) { compare(b, doing, floor, own) })
	})
	b.Run("delete", func(b *testing.B) {
		benchmarkRules(b, func(b *testing.B, floor, own work) { compare(b, undoing, floor, own) })
	})
}

func benchmarkRules(b *testing.B, measure func(b *testing.B, floor, own work)) {
	for _, count := range others {
		b.Run(fmt.Sprintf("networks=%d", count), func(b *testing.B) {
			d := newBed(b)
			d.fill(b, count)
			set := filterOf(b, d.define(b, natNetwork(b, 0, false)))
			add, remove := nft.Prepared(set.Filter, d.isFirst(b))
			raw := newKernel(b, unix.NETLINK_NETFILTER)
			measure(b,
				work{func() error { return raw.do(add) }, func() error { return raw.do(remove) }},
				work{func() error { return d.backend.Do(b.Context(), set) }, func() error { return d.backend.Do(b.Context(), set.Inverse()) }})
		})
	}
}

// filterOf is the step of a plan that sets the packet filter.
func filterOf(b *testing.B, plan host.Plan) host.SetFilter {
	b.Helper()
	for _, step := range plan {
		if set, ok := step.Op.(host.SetFilter); ok {
			return set
		}
	}
	require.Fail(b, "no packet filter")
	return host.SetFilter{}
}
