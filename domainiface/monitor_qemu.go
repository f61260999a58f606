// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"github.com/go-virtnet/virtnet/network/schema"
)

// QEMUArgs returns the arguments that give a guest of QEMU the device of a port that [Port.Open] opens:
//
//	-netdev tap,id=hostID,fd=3 -device virtio-net-pci,netdev=hostID,id=ID,mac=MAC
//
// What the interface says of its model, driver, MTU, ROM, order of boot, teaming and ACPI index is in them. The empty id is
// the interface's alias, or net0. An interface without a model gets virtio. Where the card is plugged in is the caller's, who
// knows what else the guest has: append ",bus=BUS,addr=SLOT" to the last argument. A link whose state is down has to be said
// to the running QEMU: set_link ID off.
//
// A model that QEMU has not wraps errors.ErrUnsupported, as does a port that is not opened; descriptors that do not fit,
// and an id that QEMU does not take, wrap fs.ErrInvalid.
func (p *Port) QEMUArgs(id string, d Descriptors) ([]string, error) {
	if err := errors.Join(p.opened(), d.check(p)); err != nil {
		return nil, err
	}
	id, err := p.deviceID(id)
	if err != nil {
		return nil, err
	}
	device, err := p.qemuDevice(id, len(d.Queues))
	if err != nil {
		return nil, err
	}
	return []string{"-netdev", p.qemuNetdev(id, d), "-device", device}, nil
}

// deviceID is the name that QEMU gives a device.
func (p *Port) deviceID(id string) (string, error) {
	if a := p.asked().Alias; id == "" && a != nil {
		id = a.Name.String()
	}
	if id == "" {
		id = "net0"
	}
	for k := range len(id) {
		letter := 'a' <= id[k]|0x20 && id[k]|0x20 <= 'z'
		if !letter && (k == 0 || !isWordByte(id[k]) && id[k] != '-' && id[k] != '.') {
			return "", fmt.Errorf("id %s: a letter, then letters, digits, dashes, dots and underscores are allowed: %w", schema.Quote(id), fs.ErrInvalid)
		}
	}
	return id, nil
}

// qemuNetdev is the host's side of a device.
func (p *Port) qemuNetdev(id string, d Descriptors) string {
	var o options
	o.word("tap")
	o.set("id", "host"+id)
	fd, vhostfd := "fd", "vhostfd"
	if len(d.Queues) > 1 {
		fd, vhostfd = "fds", "vhostfds"
	}
	o.set(fd, list(d.Queues, ":"))
	if len(d.Vhost) != 0 {
		o.set("vhost", "on")
		o.set(vhostfd, list(d.Vhost, ":"))
	}
	if t := p.asked().Tune; t != nil {
		o.given("sndbuf", t.Sndbuf)
	}
	return o.String()
}

// qemuModels are the devices of QEMU that have another name than the model, and models of other monitors: those are empty.
var qemuModels = map[ModelType]string{
	"":                    "virtio-net-pci",
	Virtio:                "virtio-net-pci",
	VirtioTransitional:    "virtio-net-pci-transitional",
	VirtioNonTransitional: "virtio-net-pci-non-transitional",
	"netfront":            "", "lan9118": "", "scm91c111": "", "vlance": "", "vmxnet": "", "vmxnet2": "",
	"Am79C970A": "", "Am79C973": "", "82540EM": "", "82545EM": "", "82543GC": "",
}

// qemuDevice is the card of the guest.
func (p *Port) qemuDevice(id string, queues int) (string, error) {
	i, model := p.asked(), ModelType("")
	if i.Model != nil {
		model = i.Model.Type
	}
	name, other := qemuModels[model]
	if !other {
		name = model.String()
	}
	if name == "" {
		return "", fmt.Errorf("/interface/model/@type: QEMU has no device %s that is plugged in: %w", schema.Quote(model.String()), errors.ErrUnsupported)
	}
	var o options
	o.word(name)
	o.set("netdev", "host"+id)
	o.set("id", id)
	o.set("mac", p.MAC.String())
	if queues > 1 {
		o.set("mq", "on")
		o.set("vectors", strconv.Itoa(2*queues+2)) // two a queue, one for control and one for changes
	}
	if model == "" || model.Virtio() {
		o.number("host_mtu", p.mtu())
		o.virtio(i, p.driver())
	}
	o.everyCard(i)
	return o.String(), nil
}

// everyCard adds what cards of all models have.
func (o *options) everyCard(i *Interface) {
	if i.Boot != nil {
		o.given("bootindex", i.Boot.Order)
	}
	if i.ACPI != nil {
		o.given("acpi-index", i.ACPI.Index)
	}
	if r := i.ROM; r != nil {
		o.given("rombar", r.Bar)
		if r.Enabled == schema.No {
			o.set("romfile", "")
		} else {
			o.given("romfile", r.File)
		}
	}
}

// virtio adds what only cards of the virtio family have.
func (o *options) virtio(i *Interface, d *Driver) {
	if i.Teaming != nil && i.Teaming.Type == TeamingPersistent {
		o.set("failover", "on")
	}
	switch d.TXMode {
	case TXIOThread:
		o.set("tx", "bh")
	case TXTimer:
		o.set("tx", "timer")
	}
	o.given("ioeventfd", d.IOEventFD)
	o.given("event_idx", d.EventIdx)
	o.given("rss", d.RSS)
	o.given("hash", d.RSSHashReport)
	o.given("rx_queue_size", positive(d.RXQueueSize))
	o.given("tx_queue_size", positive(d.TXQueueSize))
	o.given("iommu_platform", d.IOMMU)
	o.given("ats", d.ATS)
	o.given("packed", d.Packed)
	o.given("page-per-vq", d.PagePerVQ)
	if h := d.Host; h != nil {
		o.given("csum", h.CSum)
		o.given("gso", h.GSO)
		o.given("host_tso4", h.TSO4)
		o.given("host_tso6", h.TSO6)
		o.given("host_ecn", h.ECN)
		o.given("host_ufo", h.UFO)
		o.given("mrg_rxbuf", h.MrgRXBuf)
	}
	if g := d.Guest; g != nil {
		o.given("guest_csum", g.CSum)
		o.given("guest_tso4", g.TSO4)
		o.given("guest_tso6", g.TSO6)
		o.given("guest_ecn", g.ECN)
		o.given("guest_ufo", g.UFO)
	}
}

// positive is a number whose 0 says the same as its absence.
func positive(n schema.Number) schema.Number {
	if n.Uint() == 0 {
		return schema.Number{}
	}
	return n
}
