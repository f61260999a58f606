// SPDX-License-Identifier: Apache-2.0

package hostdev

import "github.com/go-virtnet/virtnet/network/schema"

// The rules on devices that libvirt 11.3 does not have.
const (
	// ZeroFunction checks the function of an address whose other numbers are all 0 too.
	ZeroFunction schema.Deviation = "pci-function-zero"
	// LargeDomain refuses a PCI domain that does not fit 16 bits.
	LargeDomain schema.Deviation = "pci-domain"
	// ModelName refuses the name of a driver that can be none of a kernel module.
	ModelName schema.Deviation = "driver-model"
)

// Check checks a, the element that c stands in, as that of a PCI device.
func (a *Address) Check(c *schema.Check) {
	c.Deviates(a.Domain <= 0xffff, LargeDomain, "@domain", "%s is more than 0xffff", a.Domain)
	if a.Domain == 0 && a.Bus == 0 && a.Slot == 0 {
		c.Deviates(a.Function <= 7, ZeroFunction, "@function", "%s is more than 0x7", a.Function)
		return
	}
	c.Rule(a.Bus <= 0xff, "pci-bus", "@bus", "%s is more than 0xff", a.Bus)
	c.Rule(a.Slot <= 0x1f, "pci-slot", "@slot", "%s is more than 0x1f", a.Slot)
	c.Rule(a.Function <= 7, "pci-function", "@function", "%s is more than 0x7", a.Function)
}

// Check checks d, the element that c stands in.
func (d *Driver) Check(c *schema.Check) {
	ok := true
	for _, r := range d.Model.String() {
		ok = ok && ('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-' || r == '+')
	}
	c.Deviates(ok && d.Model != schema.Empty, ModelName, "@model", "%s is not the name of a kernel module", schema.Quote(d.Model.String()))
}
