// SPDX-License-Identifier: Apache-2.0

package domainiface

import "github.com/go-virtnet/virtnet/network/schema"

// Validate checks i against all rules and returns all violations as [schema.Violations], nil when there
// are none.
func (i *Interface) Validate() error { return i.ValidateAs(schema.Rules{}) }

// ValidateAs checks i against the rules chosen. With Compat they are those by which libvirt 11.3 parses and
// defines an interface, apart from those that depend on the hypervisor, the host and the network.
func (i *Interface) ValidateAs(rules schema.Rules) error {
	c := schema.NewCheck("interface", rules)
	i.check(c)
	return c.Err(i.Origin)
}

func (i *Interface) check(c *schema.Check) {
}
