// SPDX-License-Identifier: Apache-2.0

package qos

import "github.com/go-virtnet/virtnet/network/schema"

// Normalize brings b to the form in which libvirt tells it, without the zeros that mean no limit, and returns it;
// nil when it limits nothing. With Compat the shell of one whose directions say nothing stays, as in libvirt.
func (b *Bandwidth) Normalize(rules schema.Rules) *Bandwidth {
	if b == nil {
		return nil
	}
	shell := rules.Compat && (b.Inbound != nil || b.Outbound != nil)
	b.Inbound, b.Outbound = b.Inbound.normalize(), b.Outbound.normalize()
	if b.Inbound == nil && b.Outbound == nil && schema.IsBare(b.Extra) && !shell {
		return nil
	}
	return b
}

func (r *Rate) normalize() *Rate {
	if r == nil {
		return nil
	}
	for _, n := range []*schema.Number{&r.Average, &r.Peak, &r.Floor, &r.Burst} {
		if n.Uint() == 0 {
			*n = schema.Number{}
		}
	}
	if !r.Average.Given() && !r.Floor.Given() && schema.IsBare(r.Extra) {
		return nil
	}
	return r
}
