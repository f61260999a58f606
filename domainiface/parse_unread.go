// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"encoding/xml"
	"errors"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/network/schema"
)

// unreadable reports whether err says that the value at the path cannot be read.
func unreadable(err error, path string) bool {
	var vs schema.Violations
	return errors.As(err, &vs) && slices.ContainsFunc(vs, func(v *schema.Violation) bool { return v.Path == path })
}

// dropSurplus drops all but the first <source> and all but the first <address> in it. libvirt looks in all of them for the
// type of the address of a device of the host, and for a kind of USB device, which stands for it.
func (i *Interface) dropSurplus() {
	if i.Kind() == Hostdev && i.Source != nil {
		s := i.Source
		s.Address = s.Address.typed(slices.Concat(s.Nodes, i.Nodes))
		if s.hostBus() == "" && (s.Address == nil || s.Address.Type.String() == "") && hasVendor(i.Nodes) {
			if s.Address == nil {
				s.Address = noUSB()
			}
			s.Address.Type = usbBus
		}
	}
	if i.Source != nil {
		i.Source.Nodes = nil
	}
	i.Nodes = nil
}

// dropRead drops and changes what libvirt has read otherwise: the driver of a USB device, which it does not look at, and
// IPv4 addresses in IPv6 ones where it looks for IPv4.
func (i *Interface) dropRead() {
	if d := i.Driver; d != nil && i.Kind() == Hostdev && i.Source.hostBus() == usbBus {
		d.Name, d.Model = 0, ""
	}
	for n := range i.IPs {
		i.IPs[n].unmap()
	}
	if i.Source != nil {
		for n := range i.Source.IPs {
			i.Source.IPs[n].unmap()
		}
	}
}

// typed returns a with the type of the first of the nodes that has one, if a has none. The nodes are addresses, and
// sources with addresses in them.
func (a *Address) typed(nodes []schema.Node) *Address {
	if a != nil && a.Type.Given() {
		return a
	}
	for _, n := range nodes {
		switch n.Name {
		case xml.Name{Local: "source"}:
			if a = a.typed(n.Nodes); a != nil && a.Type.Given() {
				return a
			}
		case xml.Name{Local: "address"}:
			text, ok := attrOf(n.Attrs, "type")
			if !ok || text == "" {
				continue
			}
			if a == nil && text == usbBus {
				a = noUSB()
			} else if a == nil {
				a = new(Address)
			}
			a.Type = schema.Text(text)
			return a
		}
	}
	return a
}

// noUSB returns the address on a USB bus that is none; see [Address.isZeroUSB].
func noUSB() *Address {
	return &Address{Bus: "0", Extra: schema.Extra{Attrs: []xml.Attr{{Name: deviceAttr, Value: "0"}}}}
}

// hasVendor reports whether there is a kind of USB device in one of the sources.
func hasVendor(nodes []schema.Node) bool {
	return slices.ContainsFunc(nodes, func(n schema.Node) bool {
		return n.Name == xml.Name{Local: "source"} && slices.ContainsFunc(n.Nodes, func(k schema.Node) bool { return k.Name == xml.Name{Local: "vendor"} })
	})
}

// dropUnread removes the violations of values that libvirt never looks at.
func (i *Interface) dropUnread(err error) error {
	var vs schema.Violations
	if !errors.As(err, &vs) {
		return err
	}
	unread := i.unread()
	kept := slices.DeleteFunc(vs, func(v *schema.Violation) bool {
		return slices.ContainsFunc(unread, func(path string) bool { return strings.HasPrefix(v.Path, path) })
	})
	if len(kept) == 0 {
		return nil
	}
	return kept
}

// unread returns the beginnings of the paths that libvirt never looks at when it reads a definition: what is told
// of running guests only, what connects another type, and options of a driver for another model.
func (i *Interface) unread() []string {
	paths := []string{"/interface/@managed", "/interface/mac/@currentAddress", "/interface/source/@macTableManager", "/interface/actual"}
	kind := i.Kind()
	if kind != Direct && kind != VhostUser {
		paths = append(paths, "/interface/source/@mode")
	}
	switch {
	case kind != VhostUser:
		paths = append(paths, "/interface/source/reconnect")
	case i.Source != nil && i.Source.Reconnect != nil && i.Source.Reconnect.Enabled != schema.Yes:
		paths = append(paths, "/interface/source/reconnect/@timeout")
	}
	if kind != Hostdev || i.Source.hostBus() != pciBus {
		paths = append(paths, "/interface/source/@writeFiltering")
	}
	if kind == Hostdev && i.Source.hostBus() == usbBus {
		paths = append(paths, "/interface/driver/@name")
	}
	if kind == Hostdev || !i.Model.Virtio() {
		for _, attr := range []string{"txmode", "ioeventfd", "event_idx", "queues", "rx_queue_size", "tx_queue_size", "rss", "rss_hash_report"} {
			paths = append(paths, "/interface/driver/@"+attr)
		}
		paths = append(paths, "/interface/driver/host", "/interface/driver/guest")
		if kind != Hostdev {
			paths = append(paths, "/interface/driver/@name")
		}
	}
	return paths
}
