// SPDX-License-Identifier: Apache-2.0

package network

import (
	"strings"

	"github.com/go-virtnet/virtnet/network/schema"
)

// The bounds of what a Linux bridge takes.
const (
	maxDelay = 30 // seconds
	minMTU   = 68 // bytes
	maxMTU   = 1<<16 - 1
)

func (b *Bridge) check(c *schema.Check) {
	if b.Name != "" {
		c.Deviates(isBridgeName(b.Name), BridgeName, "@name", "%s is not %s; a template has one %%d", schema.Quote(b.Name), schema.WantDevice)
	}
	if b.Zone != "" {
		ok := schema.IsDNSName(b.Zone) && !strings.Contains(b.Zone, ".")
		c.Deviates(ok, BridgeZone, "@zone", "%s is not the name of a zone: letters, digits, - and _", schema.Quote(b.Zone))
	}
	c.Deviates(b.Delay.Uint() <= maxDelay, BridgeDelay, "@delay", "%s seconds are more than the %d that are possible", b.Delay, maxDelay)
}

// isBridgeName reports whether name is that of a bridge, or a template that becomes one: one %, followed by d.
func isBridgeName(name string) bool {
	if before, after, ok := strings.Cut(name, "%"); ok {
		if after == "" || after[0] != 'd' || strings.Contains(after, "%") {
			return false
		}
		name = before + "256" + after[1:] // the largest number that is tried
	}
	return schema.IsDevice(name)
}

func (m *MTU) check(c *schema.Check) {
	size := m.Size.Uint()
	c.Deviates(!m.Size.Wrapped() && (size == 0 || size >= minMTU && size <= maxMTU), MTURange, "@size",
		"%s is not the size of a packet: %d to %d bytes", m.Size, minMTU, maxMTU)
}
