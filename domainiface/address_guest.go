// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/network/schema"
)

// guestBuses are the types of address that a device can have in a guest.
var guestBuses = []string{"pci", "drive", "virtio-serial", "ccid", "usb", "spapr-vio", "ccw", "virtio-mmio", "isa", "dimm"}

// ccwBus is the type of the addresses on the channels of s390.
const ccwBus = "ccw"

// ccwNumbers are the numbers of such an address, each with how many digits it has at least.
var ccwNumbers = []struct {
	name   string
	digits int
}{{"cssid", 1}, {"ssid", 1}, {"devno", 4}}

// checkGuest checks a, the element that c stands in, as the place of the device in the guest. What other buses than
// PCI and those of s390 have is not looked at.
func (a *Address) checkGuest(c *schema.Check) {
	if !c.Rule(a.Type.Given(), "guest-address", "@type", "an address needs a type") {
		return
	}
	bus := a.Type.String()
	if !c.Rule(slices.Contains(guestBuses, bus), "guest-address-type", "@type", "%s is not a bus: %s", schema.Quote(bus), strings.Join(guestBuses, ", ")) {
		return
	}
	switch bus {
	case pciBus:
		a.checkPCI(c, false)
	case ccwBus:
		given := 0
		for _, n := range ccwNumbers {
			text, ok := a.attr(n.name)
			if !ok {
				continue
			}
			given++
			_, ok = addressNumber{text: schema.Text(text)}.read()
			c.Rule(ok, "guest-address-ccw", "@"+n.name, "%s is not a number of 32 bits", schema.Quote(text))
		}
		c.Rule(given == 0 || given == len(ccwNumbers), "guest-address-ccw", "", "an address of type ccw has a cssid, a ssid and a devno, or none of them")
	}
}

// normalizeGuest writes the numbers of the place of the device in the guest as libvirt does.
func (a *Address) normalizeGuest() {
	if a == nil {
		return
	}
	if k, ok := a.PCI(); ok && (k.Domain != 0 || k.Bus != 0 || k.Slot != 0) {
		a.normalize(k)
	}
	if a.Type != ccwBus {
		return
	}
	for _, n := range ccwNumbers {
		text, given := a.attr(n.name)
		value, ok := addressNumber{text: schema.Text(text)}.read()
		if !ok {
			continue
		}
		name := xml.Name{Local: n.name}
		a.Attrs = slices.DeleteFunc(a.Attrs, func(other xml.Attr) bool { return given && other.Name == name })
		a.Attrs = append(a.Attrs, xml.Attr{Name: name, Value: fmt.Sprintf("0x%0*x", n.digits, value)})
	}
}
