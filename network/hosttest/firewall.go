// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"context"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

var _ host.FirewallReader = (*Machine)(nil)

// SetFirewall makes other programs filter on the machine. [Machine.Send] does not ask them.
func (m *Machine) SetFirewall(f host.Firewall) {
	defer m.lock().Unlock()
	m.firewall = cloneFirewall(f)
}

// Firewall is what was set last, until the machine is switched off; see [host.FirewallReader].
func (m *Machine) Firewall(ctx context.Context) (*host.Firewall, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	defer m.lock().Unlock()
	f := cloneFirewall(m.firewall)
	return &f, nil
}

func cloneFirewall(f host.Firewall) host.Firewall {
	f = host.Firewall{Chains: slices.Clone(f.Chains), Unread: slices.Clone(f.Unread)}
	for i := range f.Chains {
		rules := slices.Clone(f.Chains[i].Rules)
		for j := range rules {
			rules[j].When = slices.Clone(rules[j].When)
		}
		f.Chains[i].Rules = rules
	}
	return f
}
