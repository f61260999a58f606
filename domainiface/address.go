// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"github.com/go-virtnet/virtnet/hostdev"
	"github.com/go-virtnet/virtnet/network/schema"
)

// An Address is an <address> element: where a device is on a bus, of the guest or, in <source>, of the
// host. The numbers are those of PCI, in any base of C; what other buses have is kept in Extra.
//
//	<address type='pci' domain='0x0000' bus='0x04' slot='0x10' function='0x2'/>
//	<address type='usb' bus='1' device='4'/>
type Address struct {
	Type     schema.Text `xml:"type,attr,omitempty"`
	Domain   schema.Text `xml:"domain,attr,omitempty"`
	Bus      schema.Text `xml:"bus,attr,omitempty"`
	Slot     schema.Text `xml:"slot,attr,omitempty"`
	Function schema.Text `xml:"function,attr,omitempty"`
	schema.Extra
}

// NewAddress returns the element that names the PCI device k of the host.
func NewAddress(k hostdev.Key) *Address {
	return &Address{
		Type:     pciBus,
		Domain:   schema.Text(hostdev.Hex4(k.Domain).String()),
		Bus:      schema.Text(hostdev.Hex2(k.Bus).String()),
		Slot:     schema.Text(hostdev.Hex2(k.Slot).String()),
		Function: schema.Text(hostdev.Hex1(k.Function).String()),
	}
}

// pciBus is the type of the addresses on a PCI bus.
const pciBus = "pci"

// PCI returns the PCI device that a names. It is false when a is nil, on another bus, or has numbers that
// cannot be read. Absent numbers are 0.
func (a *Address) PCI() (k hostdev.Key, ok bool) {
	if a == nil || a.Type != pciBus {
		return hostdev.Key{}, false
	}
	var parts [4]uint32
	for n, part := range a.numbers() {
		if parts[n], ok = part.read(); !ok {
			return hostdev.Key{}, false
		}
	}
	return hostdev.Key{Domain: parts[0], Bus: parts[1], Slot: parts[2], Function: parts[3]}, true
}

// An addressNumber is one number of an [Address].
type addressNumber struct {
	name string
	text schema.Text
}

// numbers returns the numbers of a PCI address.
func (a *Address) numbers() [4]addressNumber {
	return [4]addressNumber{{"domain", a.Domain}, {"bus", a.Bus}, {"slot", a.Slot}, {"function", a.Function}}
}

// read returns the number, 0 when absent.
func (n addressNumber) read() (value uint32, ok bool) {
	if !n.text.Given() {
		return 0, true
	}
	var got schema.CNumber
	err := got.UnmarshalText([]byte(n.text.String()))
	return uint32(got.Uint()), err == nil && got.Uint() <= maxUint32
}

// usbBus is the type of the addresses on a USB bus.
const usbBus = "usb"

// checkPCI checks a, the element that c stands in, as the address of a PCI device: of the host, or else of the guest,
// where one without numbers leaves the place to the hypervisor.
func (a *Address) checkPCI(c *schema.Check, host bool) {
	if multi, given := a.attr("multifunction"); given {
		c.Rule(multi == schema.On.String() || multi == schema.Off.String(), "address-multifunction", "@multifunction", "%s is not on or off", schema.Quote(multi))
	}
	a.checkZPCI(c)
	k, ok := a.PCI()
	if !ok {
		for _, part := range a.numbers() {
			_, ok := part.read()
			c.Rule(ok, "address-number", "@"+part.name, "%s is not a number of 32 bits", schema.Quote(part.text.String()))
		}
		return
	}
	if k.Domain == 0 && k.Bus == 0 && k.Slot == 0 {
		c.Deviates(!host, ZeroAddress, "", "domain, bus and slot cannot all be 0")
		return
	}
	full := hostdev.NewAddress(k)
	full.Check(c)
}

// checkUSB checks a, the element that c stands in, as the address of a USB device of the host.
func (a *Address) checkUSB(c *schema.Check) {
	device, given := a.attr("device")
	if !c.Rule(a.Bus.Given() && given, "address-usb", "", "the address of a USB device needs a bus and a device") {
		return
	}
	_, ok := addressNumber{text: a.Bus}.read()
	c.Rule(ok, "address-number", "@bus", "%s is not a number of 32 bits", schema.Quote(a.Bus.String()))
	_, ok = addressNumber{text: schema.Text(device)}.read()
	c.Rule(ok && device != "", "address-number", "@device", "%s is not a number of 32 bits", schema.Quote(device))
}

// isZeroUSB reports whether a is the address of the device 0 on the USB bus 0, which libvirt takes for none.
func (a *Address) isZeroUSB() bool {
	if a == nil {
		return false
	}
	device, _ := a.attr(deviceAttr.Local)
	bus, ok := addressNumber{text: a.Bus}.read()
	number, okToo := addressNumber{text: schema.Text(device)}.read()
	return ok && okToo && bus == 0 && number == 0 && a.Type != pciBus
}

// attr returns an attribute that PCI does not have.
func (a *Address) attr(name string) (value string, given bool) {
	return attrOf(a.Attrs, name)
}
