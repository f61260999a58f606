// SPDX-License-Identifier: Apache-2.0

package network

import "github.com/go-virtnet/virtnet/network/schema"

// Validate checks n against all rules and returns all violations as [schema.Violations], nil when there
// are none.
func (n *Network) Validate() error { return n.ValidateAs(schema.Rules{}) }

// ValidateAs checks n against the rules chosen. With Compat they are those by which libvirt 11.3 parses and
// defines a network, apart from those that depend on the host and on other networks.
func (n *Network) ValidateAs(rules schema.Rules) error {
	c := schema.NewCheck("network", rules)
	n.check(c)
	return c.Err(n.Source)
}

func (n *Network) check(c *schema.Check) {
	c.Rule(n.Name != "", "network-name", "name", "a network needs a name")
}
