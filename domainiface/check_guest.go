// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"strings"

	"github.com/go-virtnet/virtnet/network/schema"
)

// ValidateGuest checks the interfaces of one guest against each other: no two have the same hardware address, the same
// alias, the same place in the order of booting or the same device of the host. Two that are a team, one persistent and
// one transient that names it, share their hardware address. What is not given yet is not looked at. It returns all
// violations as [schema.Violations], with paths such as /devices/interface[2]/mac/@address, nil when there are none; each
// interface by itself is for [Interface.Validate].
func ValidateGuest(interfaces []*Interface, rules schema.Rules) error {
	c := schema.NewCheck("devices", rules)
	seen := guestKeys{}
	for n, i := range interfaces {
		c.At("interface", n, func() { seen.check(c, interfaces, n, i) })
	}
	return c.Err(schema.Source{})
}

// guestKeys are what the interfaces of a guest met so far have, each with the index of the first.
type guestKeys map[string]int

func (k guestKeys) check(c *schema.Check, all []*Interface, n int, i *Interface) {
	if m := i.MAC; m != nil && !m.Address.IsZero() {
		first, twice := k.first("mac "+m.Address.String(), n)
		c.Deviates(!twice || team(all[first], i) || team(i, all[first]), GuestMAC, "mac/@address",
			"interface number %d has the address %s too, and they are no team", first+1, m.Address)
	}
	if a := i.Alias; a != nil && a.Name != "" {
		first, twice := k.first("alias "+a.Name.String(), n)
		c.Rule(!twice, "guest-alias", "alias/@name", "interface number %d has the alias %s too", first+1, a.Name)
	}
	if b := i.Boot; b != nil && b.Order.Uint() != 0 {
		first, twice := k.first("boot "+b.Order.String(), n)
		c.Rule(!twice, "guest-boot", "boot/@order", "interface number %d is booted from at number %s too", first+1, b.Order)
	}
	if t := i.Target; t != nil && t.Dev != "" && !strings.Contains(t.Dev.String(), "%d") {
		first, twice := k.first("target "+t.Dev.String(), n)
		c.Deviates(!twice, GuestTarget, "target/@dev", "interface number %d has the device %s too", first+1, t.Dev)
	}
}

// first returns the index of the first interface with the key, and whether that is another than n.
func (k guestKeys) first(key string, n int) (int, bool) {
	first, ok := k[key]
	if !ok {
		k[key] = n
	}
	return first, ok
}

// team reports whether the guest is to use both interfaces as one.
func team(persistent, transient *Interface) bool {
	p, t := persistent.Teaming, transient.Teaming
	return p != nil && t != nil && p.Type == TeamingPersistent && t.Type == TeamingTransient &&
		persistent.Alias != nil && persistent.Alias.Name.String() == t.Persistent
}
