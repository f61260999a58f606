// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"github.com/go-virtnet/virtnet/hostdev"
	"github.com/go-virtnet/virtnet/network/schema"
)

// A Driver is a <driver> element: what on the host serves the device. All but the first two fields are for
// models of the virtio family; for type hostdev it is those two.
//
//	<driver name='vhost' queues='4' rx_queue_size='512'>
//	  <host csum='off'/>
//	</driver>
//	<driver name='vfio' model='mlx5_vfio_pci'/>
type Driver struct {
	// Name is how the device is served. Absent is the best that works.
	Name DriverName `xml:"name,attr,omitempty"`
	// Model is the kernel driver to bind (hostdev). Absent leaves it to the host.
	Model schema.Text `xml:"model,attr,omitempty"`
	// TXMode is when packets are sent.
	TXMode    TXMode       `xml:"txmode,attr,omitempty"`
	IOEventFD schema.OnOff `xml:"ioeventfd,attr,omitempty"`
	EventIdx  schema.OnOff `xml:"event_idx,attr,omitempty"`
	// Queues is how many pairs of queues the device has. Absent is 1.
	Queues schema.Number `xml:"queues,attr,omitempty"`
	// RXQueueSize and TXQueueSize are powers of two. Absent and 0 leave them to the hypervisor.
	RXQueueSize   schema.Number `xml:"rx_queue_size,attr,omitempty"`
	TXQueueSize   schema.Number `xml:"tx_queue_size,attr,omitempty"`
	RSS           schema.OnOff  `xml:"rss,attr,omitempty"`
	RSSHashReport schema.OnOff  `xml:"rss_hash_report,attr,omitempty"`
	// IOMMU makes the guest use addresses that the host translates; in a confidential guest, buffers that
	// both can see.
	IOMMU     schema.OnOff `xml:"iommu,attr,omitempty"`
	ATS       schema.OnOff `xml:"ats,attr,omitempty"`
	Packed    schema.OnOff `xml:"packed,attr,omitempty"`
	PagePerVQ schema.OnOff `xml:"page_per_vq,attr,omitempty"`

	Host  *HostOffloads  `xml:"host"`
	Guest *GuestOffloads `xml:"guest"`
	schema.Extra
}

// Hostdev returns what d says for type hostdev, nil for nil.
func (d *Driver) Hostdev() *hostdev.Driver {
	if d == nil {
		return nil
	}
	h := &hostdev.Driver{Model: d.Model}
	switch d.Name {
	case DriverKVM:
		h.Name = hostdev.KVM
	case DriverVFIO:
		h.Name = hostdev.VFIO
	case DriverXen:
		h.Name = hostdev.Xen
	}
	return h
}

// A DriverName is what serves a device. The zero DriverName is absent.
type DriverName uint8

// The names. The first two are for models of the virtio family, the others for type hostdev.
const (
	DriverQEMU  DriverName = iota + 1 // the hypervisor
	DriverVhost                       // the kernel
	DriverKVM
	DriverVFIO
	DriverXen
)

var driverNameWords = []string{"", "qemu", "vhost", "kvm", "vfio", "xen"}

// String returns the word of the document, "" when absent.
func (n DriverName) String() string { return schema.Word(driverNameWords, n) }

// MarshalText returns the same text as String.
func (n DriverName) MarshalText() ([]byte, error) { return schema.MarshalWord(driverNameWords, n) }

// UnmarshalText accepts the words of the document.
func (n *DriverName) UnmarshalText(text []byte) error {
	return schema.UnmarshalWord(driverNameWords, text, n)
}

// A TXMode says when packets of the guest are sent. The zero TXMode is absent.
type TXMode uint8

// The modes.
const (
	TXIOThread TXMode = iota + 1 // in a thread of its own, at once
	TXTimer                      // in groups, by a timer
)

var txModeWords = []string{"", "iothread", "timer"}

// String returns the word of the document, "" when absent.
func (m TXMode) String() string { return schema.Word(txModeWords, m) }

// MarshalText returns the same text as String.
func (m TXMode) MarshalText() ([]byte, error) { return schema.MarshalWord(txModeWords, m) }

// UnmarshalText accepts the two words of the document.
func (m *TXMode) UnmarshalText(text []byte) error { return schema.UnmarshalWord(txModeWords, text, m) }

// HostOffloads is the <host> element of a [Driver]: offloads that the host offers to the guest. Absent ones
// are left to the hypervisor.
//
//	<host csum='off' gso='off' tso4='off' tso6='off' ecn='off' ufo='off' mrg_rxbuf='off'/>
type HostOffloads struct {
	CSum     schema.OnOff `xml:"csum,attr,omitempty"`
	GSO      schema.OnOff `xml:"gso,attr,omitempty"`
	TSO4     schema.OnOff `xml:"tso4,attr,omitempty"`
	TSO6     schema.OnOff `xml:"tso6,attr,omitempty"`
	ECN      schema.OnOff `xml:"ecn,attr,omitempty"`
	UFO      schema.OnOff `xml:"ufo,attr,omitempty"`
	MrgRXBuf schema.OnOff `xml:"mrg_rxbuf,attr,omitempty"`
	schema.Extra
}

// GuestOffloads is the <guest> element of a [Driver]: offloads that the guest may offer to the host. Absent
// ones are left to the hypervisor.
//
//	<guest csum='off' tso4='off' tso6='off' ecn='off' ufo='off'/>
type GuestOffloads struct {
	CSum schema.OnOff `xml:"csum,attr,omitempty"`
	TSO4 schema.OnOff `xml:"tso4,attr,omitempty"`
	TSO6 schema.OnOff `xml:"tso6,attr,omitempty"`
	ECN  schema.OnOff `xml:"ecn,attr,omitempty"`
	UFO  schema.OnOff `xml:"ufo,attr,omitempty"`
	schema.Extra
}

// maxQueues is how many queues a tap device can have.
const maxQueues = 256

func (d *Driver) check(c *schema.Check, kind Type, virtio bool) {
	c.Rule(d.IOMMU|d.ATS|d.Packed|d.PagePerVQ == 0 || virtio, "driver-virtio-options", "",
		"iommu, ats, packed and page_per_vq are for models of the virtio family")
	if kind == Hostdev {
		c.Rule(d.Name == 0 || d.Name >= DriverKVM, "driver-name-hostdev", "@name", "type hostdev has the drivers kvm, vfio and xen")
		d.Hostdev().Check(c)
		c.Deviates(!d.forVirtio(), DriverLost, "", "type hostdev has only a name and a model")
		return
	}
	if virtio {
		c.Rule(d.Name <= DriverVhost, "driver-name", "@name", "models of the virtio family have the drivers qemu and vhost")
		d.checkNumbers(c)
	}
	c.Deviates(virtio || d.Name == 0 && !d.forVirtio(), DriverLost, "", "the options are for models of the virtio family")
	c.Deviates(!d.Model.Given(), DriverLost, "@model", "a kernel driver is for type hostdev")
}

// forVirtio reports whether d has anything that only models of the virtio family have, apart from the name.
func (d *Driver) forVirtio() bool {
	return d.TXMode != 0 || d.IOEventFD|d.EventIdx|d.RSS|d.RSSHashReport != 0 || d.Host != nil || d.Guest != nil ||
		d.Queues.Given() || d.RXQueueSize.Given() || d.TXQueueSize.Given()
}

func (d *Driver) checkNumbers(c *schema.Check) {
	fits := func(n schema.Number, where string) bool {
		return c.Rule(n.Uint() <= maxUint32, "driver-number", where, "%s is more than %d", n, uint32(maxUint32))
	}
	if fits(d.Queues, "@queues") {
		c.Deviates(d.Queues.Uint() <= maxQueues, QueuesMost, "@queues", "%s is more than the %d that a device can have", d.Queues, maxQueues)
	}
	fits(d.RXQueueSize, "@rx_queue_size")
	fits(d.TXQueueSize, "@tx_queue_size")
}
