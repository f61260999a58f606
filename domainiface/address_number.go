// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/go-virtnet/virtnet/network/schema"
)

// A busNumber is a number in an address on a bus of a guest.
type busNumber struct {
	name   string
	base   int    // in which it is read: 0 is any of C
	bits   int    // that it has
	format string // in which it is written
	kind   presence
	most   uint64 // that it may be, 0 is all that its bits can be
}

// A presence says what an absent number is.
type presence uint8

const (
	optional presence = iota // absent, and so is 0
	given                    // absent, but 0 is not
	zero                     // 0
	needed                   // an error
)

// guestBuses are the types of address that a device can have in a guest, with their numbers in the order they are written
// in. The address on PCI is an [hostdev.Address], and that of USB has a port besides.
var guestBuses = []struct {
	name    string
	numbers []busNumber
}{
	{pciBus, nil},
	{"drive", []busNumber{decimal("controller"), decimal("bus"), decimal("target"), decimal("unit")}},
	{"virtio-serial", []busNumber{decimal("controller"), decimal("bus"), decimal("port")}},
	{"ccid", []busNumber{decimal("controller"), decimal("slot")}},
	{usbBus, []busNumber{decimal("bus")}},
	{"spapr-vio", []busNumber{{"reg", 16, 64, "0x%08x", given, 0}}},
	{ccwBus, []busNumber{{"cssid", 0, 32, "0x%x", zero, 0xfe}, {"ssid", 0, 32, "0x%x", zero, 3}, {"devno", 0, 32, "0x%04x", zero, 0xffff}}},
	{"virtio-mmio", nil},
	{"isa", []busNumber{{"iobase", 16, 32, "0x%x", optional, 0}, {"irq", 16, 32, "0x%x", optional, 0}}},
	{"dimm", []busNumber{{"slot", 10, 32, "%d", needed, 0}, {"base", 16, 64, "0x%x", optional, 0}}},
}

// ccwBus is the type of the addresses on the channels of s390.
const ccwBus = "ccw"

func decimal(name string) busNumber { return busNumber{name, 10, 32, "%d", zero, 0} }

// numbersOf returns the numbers of the addresses on a bus of a guest.
func numbersOf(bus string) (numbers []busNumber, ok bool) {
	for _, b := range guestBuses {
		if b.name == bus {
			return b.numbers, true
		}
	}
	return nil, false
}

// read returns the number in text.
func (n busNumber) read(text string) (uint64, bool) {
	if n.base != 16 {
		var got schema.CNumber
		var err error
		if n.base == 10 {
			err = got.Number.UnmarshalText([]byte(text))
		} else {
			err = got.UnmarshalText([]byte(text))
		}
		return got.Uint(), err == nil && got.Uint()>>n.bits == 0
	}
	text = strings.TrimPrefix(strings.TrimLeft(text, " \t\n\v\f\r"), "+")
	if len(text) > 2 && text[0] == '0' && text[1]|0x20 == 'x' {
		text = text[2:]
	}
	value, err := strconv.ParseUint(text, 16, n.bits)
	return value, err == nil
}

// check checks the number of the address a, the element that c stands in.
func (n busNumber) check(c *schema.Check, a *Address) {
	text, ok := a.number(n.name)
	if !ok {
		c.Rule(n.kind != needed, "guest-address-needed", "@"+n.name, "an address of type %s needs a %s", a.Type, n.name)
		return
	}
	value, ok := n.read(text)
	if c.Rule(ok, "guest-address-number", "@"+n.name, "%s is not a number of %d bits", schema.Quote(text), n.bits) {
		c.Rule(n.most == 0 || value <= n.most, "guest-address-most", "@"+n.name, "%s is more than %d", schema.Quote(text), n.most)
	}
}

// normalize writes the number of the address a as libvirt does, or takes it away.
func (n busNumber) normalize(a *Address) {
	text, ok := a.number(n.name)
	value, readable := n.read(text)
	switch {
	case ok && !readable:
	case !ok && (n.kind == optional || n.kind == given || n.kind == needed), value == 0 && n.kind == optional:
		a.setNumber(n.name, "")
	default:
		a.setNumber(n.name, schema.Text(n.write(value)))
	}
}

// write returns the text of a number. libvirt writes those that are always there as signed ones.
func (n busNumber) write(value uint64) string {
	if n.base == 10 && n.kind == zero {
		return fmt.Sprintf(n.format, int32(value))
	}
	return fmt.Sprintf(n.format, value)
}

// usbDepth is how many hubs there are at most on the way to a USB device, with the port of the device itself.
const usbDepth = 4

// usbPort returns the way to a USB device as libvirt writes it, up to the first hub of the number 0.
func usbPort(text string) (port schema.Text, ok bool) {
	parts := strings.Split(text, ".")
	if len(parts) > usbDepth {
		return "", false
	}
	ended := false
	for _, part := range parts {
		n, ok := decimal("").read(part)
		if !ok {
			return "", false
		}
		if ended = ended || n == 0; ended {
			continue
		}
		if port != "" {
			port += "."
		}
		port += schema.Text(strconv.FormatUint(n, 10))
	}
	return port, true
}
