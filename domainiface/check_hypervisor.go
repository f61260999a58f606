// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"math/bits"
	"slices"

	"github.com/go-virtnet/virtnet/network/schema"
)

// allows reports whether the interface can have what l limits.
func (l *Limit) allows(i *Interface) bool {
	kind := i.actualKind()
	return l == nil || slices.Contains(l.Types, kind) || i.Backend.passt() && slices.Contains(l.Passt, kind)
}

// actualKind returns the type of what i is connected to: what its network gave it, where that is known.
func (i *Interface) actualKind() Type {
	if i.Actual != nil && i.Actual.Type != 0 {
		return i.Actual.Type
	}
	return i.Kind()
}

// check checks i against what the hypervisor cannot do.
func (h *Hypervisor) check(c *schema.Check, i *Interface) {
	limit := func(l *Limit, given bool, rule, where string) {
		c.Rule(!given || l.allows(i), rule, where, "the hypervisor cannot do this for type %s", i.actualKind())
	}
	limit(h.GuestIP, len(i.IPs) > 0, "hypervisor-ip", "ip[1]")
	limit(h.GuestRoute, len(i.Routes) > 0, "hypervisor-route", "route[1]")
	limit(h.MTU, i.MTU != nil && i.MTU.Size.Uint() > 0, "hypervisor-mtu", "mtu")
	limit(h.Coalesce, i.Coalesce.frames() > 0, "hypervisor-coalesce", "coalesce")
	limit(h.FilterRef, i.FilterRef != nil, "hypervisor-filterref", "filterref")
	limit(h.BackendTap, i.Backend != nil && i.Backend.Tap.Given(), "hypervisor-backend-tap", "backend/@tap")
	if d := i.Driver; d != nil && i.Model.Virtio() {
		limit(h.Queues, d.Queues.Uint() > 1, "hypervisor-queues", "driver/@queues")
		if h.RingPowers {
			checkRing(c, d.RXQueueSize, "driver/@rx_queue_size")
			checkRing(c, d.TXQueueSize, "driver/@tx_queue_size")
		}
	}
	if t := i.Teaming; t != nil {
		limit(h.Transient, t.Type == TeamingTransient, "hypervisor-teaming-transient", "teaming/@type")
		c.Rule(!h.VirtioTeaming || t.Type != TeamingPersistent || i.Model.Virtio(), "hypervisor-teaming-model", "teaming/@type",
			"the device that stays needs a model of the virtio family")
	}
	c.Rule(!slices.Contains(h.VirtioOnly, i.Kind()) || i.Model == nil || i.Model.Type == "" || i.Model.Virtio(), "hypervisor-model", "model/@type",
		"type %s takes a model of the virtio family", i.Kind())
}

func checkRing(c *schema.Check, n schema.Number, where string) {
	c.Rule(bits.OnesCount64(n.Uint()) < 2, "hypervisor-ring", where, "%s is not a power of two", n)
}

// frames returns how many packets are gathered, 0 for none.
func (c *Coalesce) frames() uint64 {
	if c == nil || c.RX == nil || c.RX.Frames == nil {
		return 0
	}
	return c.RX.Frames.Max.Uint()
}
