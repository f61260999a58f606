// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// A Port is an interface that is attached: a device on the host that its guest can use. Its fields are for reading.
type Port struct {
	// Network is the name of the network; empty for an interface of type bridge.
	Network string
	// ID identifies the port, together with the network.
	ID schema.UUID
	// Link is the device on the host: a tap, a macvtap, or the host's end of a pair. It is empty for a guest that has a virtual
	// function, see [Port.Passthrough], and for a container with a macvlan device, of which the host sees nothing.
	Link string
	// MAC is the address of the device in the guest.
	MAC schema.MAC
	// Built is what was done on the host.
	Built host.Plan
	// Guest is who the interface belongs to, and Interface what was asked for, with what was made up for it. Both are zero for
	// a port that was made without [Attach].
	Guest     Guest
	Interface *Interface
	// Document is what the port has: see [network.Manager.CreatePort].
	Document *network.Port

	nets *network.Manager
}

// Attach connects an interface of a guest: it makes the guest's device and plugs it into the bridge of the network or of
// the host, or stands it on a device of the host: a macvtap, or a macvlan for a container. Of type hostdev, and on a network of that mode, it sets up a
// virtual function and gives it to the driver that hands it over. All of that is done or nothing. The interface stays the caller's; what it leaves open (its MAC, the name of its
// device) is chosen and told by the Port.
//
// An interface that breaks a rule is a [schema.Violations]; what this library cannot do for it wraps
// errors.ErrUnsupported; a network that is not active is [network.ErrInactive]; a failed step is a [*host.StepError].
// The port stays until [Port.Detach], also when this program ends; [Lookup] finds it again.
func Attach(ctx context.Context, nets *network.Manager, g Guest, i *Interface) (*Port, error) {
	rules := nets.Rules()
	if err := i.ValidateAs(rules); err != nil {
		return nil, err
	}
	i, err := i.CompleteAs(rand.Reader, rules)
	if err != nil {
		return nil, err
	}
	req, err := request(g, i, rules, nets.VEPA())
	if err != nil {
		return nil, err
	}
	s, err := nets.CreatePort(ctx, req)
	if err != nil {
		return nil, err
	}
	p := newPort(nets, s)
	p.Guest, p.Interface = g, i
	return p, nil
}

// Lookup finds a port that was attached earlier, perhaps by another program. An unknown one wraps fs.ErrNotExist.
func Lookup(ctx context.Context, nets *network.Manager, networkName string, id schema.UUID) (*Port, error) {
	s, err := nets.Port(ctx, networkName, id)
	if err != nil {
		return nil, err
	}
	return portOf(nets, s)
}

func newPort(nets *network.Manager, s *network.PortStatus) *Port {
	p := &Port{Network: s.Network, ID: s.Port.UUID, Link: s.Link, Built: s.Built, Document: s.Port, nets: nets}
	if s.Port.MAC != nil {
		p.MAC = s.Port.MAC.Address
	}
	return p
}

// portOf is the port of a status, with what it was made for.
func portOf(nets *network.Manager, s *network.PortStatus) (*Port, error) {
	p := newPort(nets, s)
	if len(s.Origin) == 0 {
		return p, nil // of somebody who uses the manager by himself
	}
	var kept origin
	if err := kept.UnmarshalText(s.Origin); err != nil {
		return nil, fmt.Errorf("port %s: %w", p.ID, err)
	}
	p.Guest, p.Interface = kept.guest, kept.asked
	return p, nil
}

// Open opens the guest's side of a tap or macvtap: as many descriptors as queues are wanted, at most as many as the interface's
// driver has, each of them one queue, for a virtual machine monitor. Frames have virtio-net headers if the interface's
// model can use them. The files are the caller's to close; a tap without open files has no carrier. Those of a macvtap do
// not tell when the device goes, as it does together with the one below: [network.Manager.Watch] tells. A port that is
// neither, or a backend that has none, wraps errors.ErrUnsupported.
func (p *Port) Open(ctx context.Context, queues int) ([]*os.File, error) {
	if made, ok := p.macvtap(); ok {
		opener, ok := p.nets.Backend().(host.MacvtapOpener)
		if !ok {
			return nil, errors.ErrUnsupported
		}
		return opener.OpenMacvtap(ctx, made, queues)
	}
	if p.Link == "" {
		return nil, fmt.Errorf("port %s has no device that could be opened: %w", p.ID, errors.ErrUnsupported)
	}
	opener, ok := p.nets.Backend().(host.TapOpener)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return opener.OpenTap(ctx, p.Link, queues)
}

// Counters returns what has passed the guest's device, as the guest sees it: virsh domifstat. A port of Open vSwitch tells
// how it was some seconds ago. A device that is gone wraps fs.ErrNotExist; a virtual function, or a backend that counts
// nothing, errors.ErrUnsupported.
func (p *Port) Counters(ctx context.Context) (host.Counters, error) {
	var made host.Op
	for _, step := range p.Built {
		switch step.Op.(type) {
		case host.AddTap, host.AddVeth, host.AddMacvtap, host.AddMacvlan, host.AddOVSPort:
			made = step.Op // the last one: the switch counts what it has dropped of what its port has taken
		}
	}
	reader, ok := p.nets.Backend().(host.CounterReader)
	if !ok || made == nil {
		return host.Counters{}, fmt.Errorf("port %s has no counters: %w", p.ID, errors.ErrUnsupported)
	}
	return reader.Counters(ctx, made)
}
