// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/go-virtnet/virtnet/hostdev"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
)

// A Passthrough is a virtual function as a virtual machine monitor takes it.
type Passthrough struct {
	// PCI is its place, for such as -device vfio-pci,host=PCI.
	PCI hostdev.Key
	// Group is the device of its IOMMU group, such as /dev/vfio/12, and Device its own for those who go by way of iommufd,
	// such as /dev/vfio/devices/vfio3. Whoever opens them needs access to them. Either is empty where the host has none.
	Group, Device string
}

// Passthrough tells of the virtual function that a port of type hostdev has. The guest may have it until [Port.Detach],
// which waits for a few seconds until the guest has let go, and fails if it has not. A port that has no function wraps
// errors.ErrUnsupported, one whose function is gone fs.ErrNotExist.
func (p *Port) Passthrough(ctx context.Context) (*Passthrough, error) {
	if p.Document.Plug == nil || p.Document.Plug.Type != network.PlugHostdevPCI || p.Document.Plug.Address == nil {
		return nil, fmt.Errorf("port %s has no virtual function: %w", p.ID, errors.ErrUnsupported)
	}
	place := p.Document.Plug.Address.Key()
	f, err := p.nets.Backend().Facts(ctx, host.Scope{PCI: []host.PCI{host.PCI(place)}})
	if err != nil {
		return nil, err
	}
	fn := f.Function(host.PCI(place))
	if fn == nil {
		return nil, fmt.Errorf("function %s: %w", place, fs.ErrNotExist)
	}
	t := &Passthrough{PCI: place}
	if fn.Group != "" {
		t.Group = "/dev/vfio/" + fn.Group
	}
	if fn.Node != "" {
		t.Device = "/dev/vfio/devices/" + fn.Node
	}
	return t, nil
}
