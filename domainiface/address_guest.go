// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"encoding/xml"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/network/schema"
)

// number returns a number of an address on any bus.
func (a *Address) number(name string) (value string, given bool) {
	switch name {
	case "bus":
		return a.Bus.String(), a.Bus.Given()
	case "slot":
		return a.Slot.String(), a.Slot.Given()
	}
	return a.attr(name)
}

// setNumber changes a number, "" takes it away.
func (a *Address) setNumber(name string, value schema.Text) {
	switch name {
	case "bus":
		a.Bus = value
		return
	case "slot":
		a.Slot = value
		return
	}
	full := xml.Name{Local: name}
	a.Attrs = slices.DeleteFunc(a.Attrs, func(other xml.Attr) bool { return other.Name == full })
	if value != "" {
		a.Attrs = append(a.Attrs, xml.Attr{Name: full, Value: value.String()})
	}
}

// portAttr is the way to a device on a USB bus of a guest.
const portAttr = "port"

// checkGuest checks a, the element that c stands in, as the place of the device in the guest.
func (a *Address) checkGuest(c *schema.Check) {
	if !c.Rule(a.Type.Given(), "guest-address", "@type", "an address needs a type") {
		return
	}
	bus := a.Type.String()
	numbers, ok := numbersOf(bus)
	if !c.Rule(ok, "guest-address-type", "@type", "%s is not a bus: %s", schema.Quote(bus), busNames()) {
		return
	}
	count := 0
	for _, n := range numbers {
		n.check(c, a)
		if _, ok := a.number(n.name); ok {
			count++
		}
	}
	switch bus {
	case pciBus:
		a.checkPCI(c, false)
	case usbBus:
		if text, ok := a.attr(portAttr); ok {
			_, ok = usbPort(text)
			c.Rule(ok, "guest-address-port", "@port", "%s is not a way to a USB device: up to %d numbers with dots between", schema.Quote(text), usbDepth)
		}
	case ccwBus:
		c.Rule(count == 0 || count == len(numbers), "guest-address-ccw", "", "an address of type ccw has a cssid, a ssid and a devno, or none of them")
	}
}

// busNames lists the buses.
func busNames() string {
	var names []string
	for _, b := range guestBuses {
		names = append(names, b.name)
	}
	return strings.Join(names, ", ")
}

// normalizeGuest writes the numbers of the place of the device in the guest as libvirt does.
func (a *Address) normalizeGuest() {
	if a == nil {
		return
	}
	if k, ok := a.PCI(); ok {
		if k.Domain != 0 || k.Bus != 0 || k.Slot != 0 {
			a.normalize(k)
		} else {
			a.Domain, a.Bus, a.Slot, a.Function = "", "", "", ""
		}
		a.normalizeZPCI()
	}
	numbers, _ := numbersOf(a.Type.String())
	for _, n := range numbers {
		n.normalize(a)
	}
	if text, ok := a.attr(portAttr); ok && a.Type == usbBus {
		if port, ok := usbPort(text); ok {
			a.setNumber(portAttr, port)
		}
	}
}

// loseGuest drops what libvirt does not know of an address on the bus.
func (a *Address) loseGuest() {
	numbers, ok := numbersOf(a.Type.String())
	if !ok {
		return
	}
	if a.Type != pciBus {
		a.Domain, a.Function = "", ""
		if !slices.ContainsFunc(numbers, func(n busNumber) bool { return n.name == "bus" }) {
			a.Bus = ""
		}
		if !slices.ContainsFunc(numbers, func(n busNumber) bool { return n.name == "slot" }) {
			a.Slot = ""
		}
	}
	a.Attrs = slices.DeleteFunc(a.Attrs, func(x xml.Attr) bool {
		switch {
		case x.Name.Space != "":
			return true
		case a.Type == pciBus:
			return x.Name.Local != "multifunction"
		case a.Type == usbBus && x.Name.Local == portAttr:
			return false
		}
		return !slices.ContainsFunc(numbers, func(n busNumber) bool { return n.name == x.Name.Local })
	})
	z := a.zpci()
	if z != nil && a.Type == pciBus {
		attrs := slices.DeleteFunc(z.Attrs, func(x xml.Attr) bool {
			return x.Name.Space != "" || !slices.ContainsFunc(zpciNumbers, func(n busNumber) bool { return n.name == x.Name.Local })
		})
		a.Nodes = []schema.Node{{Name: z.Name, Attrs: attrs}}
		return
	}
	a.Nodes = nil
}
