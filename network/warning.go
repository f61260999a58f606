// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"fmt"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// optionMeaning is the rule of warnings about options. No document is refused for it.
const optionMeaning = "dnsmasq-option-meaning"

// Warnings tell what a network asks for and does not get although it starts: options of dnsmasq that have no meaning where
// something else serves its guests, as with the Engine of network/linux. Each is told with its place. There are none where
// everything is done. The error is about options that nobody could follow.
func (m *Manager) Warnings(n *Network) (schema.Violations, error) {
	reader, ok := m.backend.(host.OptionReader)
	if !ok || n.DnsmasqOptions == nil {
		return nil, nil
	}
	whole := *n
	if whole.Bridge == nil {
		whole.Bridge = &Bridge{} // what it will be called says nothing
	}
	plan, err := planServer(m.config.Rules, &whole, nil)
	if err != nil || len(plan) == 0 {
		return nil, err
	}
	found, err := reader.ReadOptions(plan[0].Op.(host.Serve).Server)
	if err != nil {
		return nil, fmt.Errorf("/network/dnsmasq:options: %w", err)
	}
	c := schema.NewCheck("network", schema.Rules{})
	c.In("dnsmasq:options", func() {
		for _, w := range found {
			c.At("dnsmasq:option", w.Index, func() {
				c.Form(false, optionMeaning, "@value", "%q has no effect: %s", w.Line, w.Reason)
			})
		}
	})
	var all schema.Violations
	errors.As(c.Err(n.Source), &all)
	return all, nil
}
