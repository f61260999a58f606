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

// cannot is what is said about something that the hypervisor cannot do for a type.
const cannot = "the hypervisor cannot do this for type %s"

// check checks i against what the hypervisor cannot do.
func (h *Hypervisor) check(c *schema.Check, i *Interface) {
	kind := i.actualKind()
	c.Rule(len(i.IPs) == 0 || h.GuestIP.allows(i), "hypervisor-ip", "ip[1]", cannot, kind)
	c.Rule(len(i.Routes) == 0 || h.GuestRoute.allows(i), "hypervisor-route", "route[1]", cannot, kind)
	c.Rule(i.MTU == nil || i.MTU.Size.Uint() == 0 || h.MTU.allows(i), "hypervisor-mtu", "mtu", cannot, kind)
	c.Rule(i.Coalesce.frames() == 0 || h.Coalesce.allows(i), "hypervisor-coalesce", "coalesce", cannot, kind)
	c.Rule(i.FilterRef == nil || h.FilterRef.allows(i), "hypervisor-filterref", "filterref", cannot, kind)
	plain := h.FilterRef == nil || i.FilterRef == nil || i.VirtualPort == nil || i.VirtualPort.Type == 0
	c.Rule(plain, "hypervisor-filterref-virtualport", "filterref", "the hypervisor filters only on a Linux bridge")
	c.Rule(i.Backend == nil || !i.Backend.Tap.Given() || h.BackendTap.allows(i), "hypervisor-backend-tap", "backend/@tap", cannot, kind)
	if d := i.Driver; d != nil && i.Model.Virtio() {
		c.In("driver", func() { h.checkDriver(c, i) })
	}
	if t := i.Teaming; t != nil {
		c.Rule(t.Type != TeamingTransient || h.Transient.allows(i), "hypervisor-teaming-transient", "teaming/@type", cannot, kind)
		c.Rule(!h.VirtioTeaming || t.Type != TeamingPersistent || i.Model.Virtio(), "hypervisor-teaming-model", "teaming/@type",
			"the device that stays needs a model of the virtio family")
	}
	if m := i.Model; m != nil && m.Type != "" && slices.Contains(h.VirtioOnly, i.Kind()) {
		c.Rule(m.Virtio(), "hypervisor-model", "model/@type", "type %s takes a model of the virtio family", i.Kind())
	}
}

// checkDriver checks the options of a virtio driver, the element that c stands in.
func (h *Hypervisor) checkDriver(c *schema.Check, i *Interface) {
	d := i.Driver
	c.Rule(d.Queues.Uint() < 2 || h.Queues.allows(i), "hypervisor-queues", "@queues", cannot, i.actualKind())
	if h.RingPowers {
		checkRing(c, d.RXQueueSize, "@rx_queue_size")
		checkRing(c, d.TXQueueSize, "@tx_queue_size")
	}
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
