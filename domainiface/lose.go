// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"encoding/xml"
	"slices"

	"github.com/go-virtnet/virtnet/network/schema"
)

// lose drops what libvirt reads or passes over but does not write again. The rules that libvirt does not have
// refuse most of it.
func (i *Interface) lose() {
	if i.Type != Hostdev {
		i.Managed = 0
	}
	if s := i.Source; s != nil {
		i.Source = s.of(i.Type, i.Backend.passt())
	}
	if i.Address != nil {
		i.Address.loseGuest()
	}
	if i.Model != nil && i.Model.Type.unknown() {
		i.Model = nil
	}
	if d := i.Driver; d != nil {
		if i.Type == Hostdev && i.Model.Virtio() && d.IOMMU|d.ATS|d.Packed|d.PagePerVQ != 0 {
			i.VirtioDriver = &Driver{IOMMU: d.IOMMU, ATS: d.ATS, Packed: d.Packed, PagePerVQ: d.PagePerVQ}
		}
		d.lose(i.Type, i.Model.Virtio())
	}
	if b := i.Backend; b != nil && (!i.Model.Virtio() || i.Type == Hostdev) {
		b.Vhost = ""
	}
	if f := i.FilterRef; f != nil {
		f.Parameters = slices.DeleteFunc(f.Parameters, func(p Parameter) bool { return !p.usable() })
		if f.Filter == "" || i.Type != Network && i.Type != Bridge && i.Type != Ethernet {
			i.FilterRef = nil
		}
	}
}

// of returns what a <source> means for the type.
func (s *Source) of(t Type, passt bool) *Source {
	n := &Source{IPs: s.IPs, Routes: s.Routes}
	switch t {
	case Network:
		n.Network, n.PortGroup = s.Network, s.PortGroup
	case Bridge:
		n.Bridge = s.Bridge
	case Direct:
		n.Dev, n.Mode = s.Dev, s.Mode
	case Hostdev:
		n.Vendor, n.Product, n.Address = s.Vendor, s.Product, s.Address
		if s.hostBus() == pciBus {
			n.WriteFiltering, n.Vendor, n.Product = s.WriteFiltering, nil, nil
		} else {
			n.StartupPolicy, n.GuestReset = s.StartupPolicy, s.GuestReset
			if n.Address.isZeroUSB() {
				n.Address = nil
			}
		}
		if a := n.Address; a != nil {
			a.Nodes = nil
			if a.Type != pciBus {
				a.Domain, a.Slot, a.Function = "", "", ""
			}
			a.Attrs = slices.DeleteFunc(a.Attrs, func(x xml.Attr) bool { return a.Type == pciBus || x.Name != deviceAttr })
		}
	case User:
		if passt {
			n.Dev = s.Dev
		}
	case VhostUser:
		if passt {
			n.Dev = s.Dev
			break
		}
		n.Type, n.Path, n.Mode, n.Reconnect = s.Type, s.Path, s.Mode, s.Reconnect
	case VDPA:
		n.Dev = s.Dev
	case Server, Client, MCast, UDP:
		n.Host, n.PortNumber = s.Host, s.PortNumber
		if t == UDP {
			n.Local = s.Local
		}
	case Internal:
		n.Name = s.Name
	case VDS:
		n.SwitchID, n.PortID, n.PortGroupID, n.ConnectionID = s.SwitchID, s.PortID, s.PortGroupID, s.ConnectionID
	}
	return n
}

// lose drops what is for another kind of device.
func (d *Driver) lose(t Type, virtio bool) {
	switch {
	case t == Hostdev:
		*d = Driver{Name: d.Name, Model: d.Model}
	case !virtio:
		*d = Driver{}
	default:
		d.Model = schema.Text("")
	}
}
