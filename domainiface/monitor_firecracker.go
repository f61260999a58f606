// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"errors"
	"fmt"

	"github.com/go-virtnet/virtnet/network/schema"
)

// A FirecrackerInterface is a network interface of Firecracker: as JSON an element of "network-interfaces" in its
// configuration file, and the body of PUT /network-interfaces/ID.
type FirecrackerInterface struct {
	ID         string     `json:"iface_id"`
	HostDevice string     `json:"host_dev_name"`
	GuestMAC   schema.MAC `json:"guest_mac"`
}

// Firecracker returns what Firecracker is told of a port. The empty id is that of QEMUArgs. Firecracker opens the tap itself,
// by its name: it has to run in the namespace of the network, as a user that may ([Guest.User]), and the port must not be
// open elsewhere. It takes a tap with one queue and virtio-net headers: anything else wraps errors.ErrUnsupported, and what
// it is says where the document asks for it.
func (p *Port) Firecracker(id string) (*FirecrackerInterface, error) {
	const monitor = "Firecracker"
	tap, ok := p.tap()
	if !ok {
		return nil, fmt.Errorf("port %s: %s opens taps, its device %s is none: %w", p.ID, monitor, p.Link, errors.ErrUnsupported)
	}
	if err := p.onlyVirtio(monitor); err != nil {
		return nil, err
	}
	if tap.Queues > 1 {
		return nil, fmt.Errorf("/interface/driver/@queues: %s opens taps with one queue, not %d: %w", monitor, tap.Queues, errors.ErrUnsupported)
	}
	if p.driver().Name == DriverVhost {
		return nil, fmt.Errorf("/interface/driver/@name: %s has no vhost: %w", monitor, errors.ErrUnsupported)
	}
	id, err := p.deviceID(id)
	if err != nil {
		return nil, err
	}
	return &FirecrackerInterface{ID: id, HostDevice: p.Link, GuestMAC: p.MAC}, nil
}
