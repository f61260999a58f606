// SPDX-License-Identifier: Apache-2.0

package network

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/go-virtnet/virtnet/network/schema"
)

// A span is a run of addresses of a document: a subnet or a range of it.
type span struct {
	first, last netip.Addr
	index       int // of its element
}

// overlaps calls yield for each span that overlaps one that the document has before it or, when several do,
// for enough of them that correcting these corrects all. It takes n log n steps.
func overlaps(spans []span, yield func(index, other int)) {
	slices.SortStableFunc(spans, func(a, b span) int {
		return cmp.Or(a.first.Compare(b.first), cmp.Compare(a.index, b.index))
	})
	for i := 1; i < len(spans); i++ {
		before, at := &spans[i-1], &spans[i]
		if before.last.Compare(at.first) >= 0 && before.first.BitLen() == at.first.BitLen() {
			yield(max(before.index, at.index), min(before.index, at.index))
			if before.last.Compare(at.last) > 0 {
				at.last = before.last
			}
		}
	}
}

// checkOverlap checks that the subnets of a network do not overlap.
func (n *Network) checkOverlap(c *schema.Check) {
	if len(n.IPs) < 2 || c.Skips(SubnetOverlap) {
		return
	}
	var spans []span
	for i := range n.IPs {
		if p, ok := n.IPs[i].Prefix(); ok {
			spans = append(spans, span{p.Masked().Addr(), lastOf(p), i})
		}
	}
	overlaps(spans, func(i, other int) {
		c.At("ip", i, func() {
			c.Deviates(false, SubnetOverlap, "", "the subnet of %s overlaps that of <ip> number %d", n.IPs[i].Address, other+1)
		})
	})
}

// checkRangeOverlap checks that the ranges of a subnet do not overlap.
func (d *DHCP) checkRangeOverlap(c *schema.Check) {
	if len(d.Ranges) < 2 || c.Skips(RangeOverlap) {
		return
	}
	var spans []span
	for i := range d.Ranges {
		if r := &d.Ranges[i]; r.Start.Given() && r.End.Given() && !r.End.Less(r.Start.Addr) {
			spans = append(spans, span{r.Start.Addr, r.End.Addr, i})
		}
	}
	overlaps(spans, func(i, other int) {
		c.At("range", i, func() {
			c.Deviates(false, RangeOverlap, "", "the range overlaps number %d", other+1)
		})
	})
}
