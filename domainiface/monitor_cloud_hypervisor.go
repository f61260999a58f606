// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/go-virtnet/virtnet/network/schema"
)

// A CloudHypervisorNet is a NetConfig of Cloud Hypervisor. As text it is the value of the option --net; as JSON it is the body
// of the call vm.add-net, which takes the descriptors as SCM_RIGHTS beside it and not in it.
type CloudHypervisorNet struct {
	ID  string     `json:"id"`
	MAC schema.MAC `json:"mac"`
	// MTU of 0 leaves it to the guest.
	MTU int `json:"mtu,omitempty"`
	// NumQueues counts each direction: two for each descriptor.
	NumQueues int `json:"num_queues"`
	// QueueSize of 0 is 256.
	QueueSize int  `json:"queue_size,omitempty"`
	IOMMU     bool `json:"iommu,omitempty"`
	// The offloads are on when absent.
	OffloadTSO  *bool `json:"offload_tso,omitempty"`
	OffloadUFO  *bool `json:"offload_ufo,omitempty"`
	OffloadCSum *bool `json:"offload_csum,omitempty"`
	// Queues are the numbers of the descriptors in the process of the monitor.
	Queues []int `json:"-"`
}

// CloudHypervisor returns what Cloud Hypervisor is told of a port that [Port.Open] opens. The empty id is that of
// [Port.QEMUArgs]. The monitor has virtio only and moves the frames itself: another model, or a driver vhost, wraps
// errors.ErrUnsupported, as does a port that is not opened. Descriptors that do not fit wrap fs.ErrInvalid.
func (p *Port) CloudHypervisor(id string, d Descriptors) (*CloudHypervisorNet, error) {
	const monitor = "Cloud Hypervisor"
	driver := p.driver()
	if driver.Name == DriverVhost || len(d.Vhost) != 0 {
		return nil, fmt.Errorf("/interface/driver/@name: %s has no vhost: %w", monitor, errors.ErrUnsupported)
	}
	if err := errors.Join(p.opened(), p.onlyVirtio(monitor), d.check(p)); err != nil {
		return nil, err
	}
	id, err := p.deviceID(id)
	if err != nil {
		return nil, err
	}
	n := &CloudHypervisorNet{
		ID: id, MAC: p.MAC, Queues: d.Queues, NumQueues: 2 * len(d.Queues),
		QueueSize: int(driver.RXQueueSize.Uint()), IOMMU: driver.IOMMU == schema.On, MTU: p.mtu(),
	}
	if h := driver.Host; h != nil {
		n.OffloadTSO, n.OffloadUFO, n.OffloadCSum = offload(h.TSO4, h.TSO6), offload(h.UFO), offload(h.CSum)
	}
	return n, nil
}

// offload is an offload that is on unless one of its parts is off; nil if the document says nothing of them.
func offload(parts ...schema.OnOff) *bool {
	on := !slices.Contains(parts, schema.Off)
	if on && !slices.Contains(parts, schema.On) {
		return nil
	}
	return &on
}

// String returns the value of the option --net.
func (n *CloudHypervisorNet) String() string {
	var o options
	if len(n.Queues) == 1 {
		o.set("fd", strconv.Itoa(n.Queues[0]))
	} else {
		o.word("fd=[" + list(n.Queues, ",") + "]")
	}
	o.set("mac", n.MAC.String())
	o.set("num_queues", strconv.Itoa(n.NumQueues))
	o.number("queue_size", n.QueueSize)
	o.number("mtu", n.MTU)
	if n.IOMMU {
		o.set("iommu", "on")
	}
	o.flag("offload_tso", n.OffloadTSO)
	o.flag("offload_ufo", n.OffloadUFO)
	o.flag("offload_csum", n.OffloadCSum)
	o.set("id", n.ID)
	return o.String()
}

// flag adds on or off, or nothing for nil.
func (o *options) flag(key string, on *bool) {
	switch {
	case on == nil:
	case *on:
		o.set(key, "on")
	default:
		o.set(key, "off")
	}
}
