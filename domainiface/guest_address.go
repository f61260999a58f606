// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"context"
	"iter"

	"github.com/go-virtnet/virtnet/network"
)

// Addresses yields the addresses that the guest has on this interface, or will get, and where each is known from: see
// [network.Manager.Addresses]. Those of a device that is plugged into a bridge of the host are known from neighbours alone,
// and of one that is plugged into nothing of the kind, from nowhere.
func (p *Port) Addresses(ctx context.Context) iter.Seq2[network.GuestAddress, error] {
	return func(yield func(network.GuestAddress, error) bool) {
		for a, err := range p.around(ctx) {
			if (err != nil || a.MAC == p.MAC) && !yield(a, err) {
				return
			}
		}
	}
}

// around yields the addresses of all guests where this one is.
func (p *Port) around(ctx context.Context) iter.Seq2[network.GuestAddress, error] {
	if p.Network != "" {
		return p.nets.Addresses(ctx, p.Network)
	}
	return func(yield func(network.GuestAddress, error) bool) {
		if p.Document == nil || p.Document.Plug == nil || !p.Document.Plug.Bridge.Given() {
			return
		}
		all, err := p.nets.Neighbours(ctx, p.Document.Plug.Bridge.String())
		for _, a := range all {
			if !yield(a, nil) {
				return
			}
		}
		if err != nil {
			yield(network.GuestAddress{}, err)
		}
	}
}
