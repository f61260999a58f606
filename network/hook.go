// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"fmt"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// A PortHook takes part in what is done with ports, as the "port-created" and "port-deleted" hooks of libvirt do. It is
// called with [PortPlug] when all is decided and written down and nothing is done on the host yet; its error refuses the
// port, and nothing is left of it. It is called with [PortUnplug] when nothing of the port stands on the host any more,
// also after a port could not be made that it had not refused; with an error the port stays, to be deleted again or
// taken back by the next [Open].
//
// When a program is killed, [Open] calls it with PortUnplug for ports that it may never have seen plugged. It is called
// while the port is locked: it may look at everything, and change everything but that port and its network, which would
// wait for it.
type PortHook func(ctx context.Context, c PortChange) error

// A PortAction is what becomes of a port.
type PortAction uint8

// The actions.
const (
	PortPlug PortAction = iota + 1
	PortUnplug
)

var portActionWords = []string{"", "plug", "unplug"}

// String returns plug or unplug.
func (a PortAction) String() string { return schema.Word(portActionWords, a) }

// A PortChange is what a [PortHook] is told. It belongs to the hook.
type PortChange struct {
	Action PortAction
	// Network is the name of the port's network; empty if it has none.
	Network string
	// Port is the document, with the plug.
	Port *Port
	// Link is the device of the guest on the host; empty if there is none.
	Link string
	// Plan is what will be done on the host, or was.
	Plan host.Plan
}

// hook asks the hook of the manager, if it has one.
func (m *Manager) hook(ctx context.Context, a PortAction, r *portRecord) error {
	if m.config.Hook == nil {
		return nil
	}
	p, err := r.port()
	if err != nil {
		return err
	}
	if err := m.config.Hook(ctx, PortChange{Action: a, Network: r.Name, Port: p, Link: r.Link, Plan: r.Plan}); err != nil {
		return fmt.Errorf("hook: %s of port %s: %w", a, p.UUID, err)
	}
	return nil
}
