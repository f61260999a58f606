// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"strings"
	"time"

	"github.com/go-virtnet/virtnet/hostdev"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// A PortRequest asks for a port: the tie between an interface of a guest and a network.
type PortRequest struct {
	// Network is the name of the network. Empty is none: the port then brings its plug with it.
	Network string
	// Port is what the interface asks for; what it leaves open comes from the network and its port group. It stays the
	// caller's. A zero UUID is chosen.
	Port *Port
	// Reclaim takes back a port whose guest runs: Port has the plug that it had, and nothing is chosen but a traffic class.
	Reclaim bool
	// Asks is where in the caller's document the port's settings stand, for messages.
	Asks Places
	// Check may refuse what came out of the request and its network, before anything is chosen. Nil refuses nothing.
	Check func(*Resolution) error
	// Link is the device that is made for the guest. It may hold a %d, which stands for a number that was not used before;
	// empty makes no device.
	Link string
	// DirectLink takes the place of Link for a port that is plugged into a device of the host; empty leaves Link.
	DirectLink string
	// DirectAway says that the device of such a port is made in another network namespace: it has no name here.
	DirectAway bool
	// Plan says what has to be done on the host for a port with this plug, on the device of that name. Nil does nothing.
	Plan func(p *Port, link string, f *host.Facts) (host.Plan, error)
	// Opens says that the caller will open the tap that Plan makes, with the backend's [host.TapOpener]: it stays open from the
	// moment it is made, if the backend is a [host.TapKeeper].
	Opens bool
	// Scope names the facts that Plan needs besides the bridge or device of the plug.
	Scope host.Scope
	// Origin is kept with the port and given back as it is, for the caller: where the request comes from.
	Origin []byte
}

// A PortStatus is what a manager knows of one port. It belongs to the caller.
type PortStatus struct {
	// Network is the name of its network; empty if it has none.
	Network string
	// Port is the document, with its plug.
	Port *Port
	// Link is the device of the guest on the host; empty if there is none.
	Link string
	// Since is when it was made.
	Since time.Time
	// Built is what was done for it on the host.
	Built host.Plan
	// Broken is why the port could not be taken back or repaired when that was last tried; empty if all is well. What it holds stays
	// counted.
	Broken string
	// Deleting says that the port was being taken away and something could not be: it may be deleted again.
	Deleting bool
	// Origin is that of the request.
	Origin []byte
}

// portRecord is the record of a port.
type portRecord struct {
	record
	Link string `json:"link,omitempty"`
	// Device is what was chosen for it, by the name and place it had then: one that is passed through has no name any more.
	Device hostdev.Device `json:"device,omitzero"`
	// Holds says that the port is in the table of what ports hold.
	Holds  bool   `json:"holds,omitempty"`
	Broken string `json:"broken,omitempty"`
	Origin []byte `json:"origin,omitempty"`
	// Was is the record before a change that is not done yet.
	Was *portRecord `json:"was,omitempty"`

	// read is the document, once somebody has wanted it. It is changed together with the text.
	read *Port
	// saved is the record as it was last saved.
	saved []byte
}

func portName(network string, id schema.UUID) string {
	key := ""
	if network != "" {
		key = storeKey(network)
	}
	return "run/ports/" + key + "~" + id.String()
}

func portLock(id schema.UUID) string { return "ports/" + id.String() }

// port is the document of a record, for the caller to keep.
func (r *portRecord) port() (*Port, error) {
	if r.read == nil {
		p, err := ParsePort(strings.NewReader(r.Document))
		if err != nil {
			return nil, err
		}
		r.read = p
	}
	return r.read.Clone(), nil
}

// setPort makes p the document of a record.
func (r *portRecord) setPort(p *Port) error {
	text, err := p.Format()
	if err != nil {
		return err
	}
	r.Document, r.read = string(text), p.Clone()
	return nil
}

// id is the uuid of the port.
func (r *portRecord) id() (schema.UUID, error) {
	p, err := r.port()
	if err != nil {
		return schema.UUID{}, err
	}
	return p.UUID, nil
}

// Port returns the status of one port. An unknown one wraps fs.ErrNotExist.
func (m *Manager) Port(ctx context.Context, network string, id schema.UUID) (*PortStatus, error) {
	r, err := m.portRecord(ctx, network, id)
	if err != nil {
		return nil, err
	}
	return r.status()
}

// Ports yields the ports of a network, in the order of their uuids; those of the empty name have no network.
func (m *Manager) Ports(ctx context.Context, network string) iter.Seq2[*PortStatus, error] {
	return func(yield func(*PortStatus, error) bool) {
		ids, err := m.portIDs(ctx, network)
		if err != nil {
			yield(&PortStatus{Network: network}, err)
			return
		}
		for _, id := range ids {
			s, err := m.Port(ctx, network, id)
			if errors.Is(err, fs.ErrNotExist) {
				continue // gone since it was listed
			}
			if err != nil {
				s = &PortStatus{Network: network}
			}
			if !yield(s, err) {
				return
			}
		}
	}
}

func (m *Manager) portIDs(ctx context.Context, network string) ([]schema.UUID, error) {
	keys, err := m.store.List(ctx, "run/ports")
	if err != nil {
		return nil, err
	}
	prefix := strings.TrimPrefix(portName(network, schema.UUID{}), "run/ports/")
	prefix = prefix[:strings.LastIndexByte(prefix, '~')+1]
	var ids []schema.UUID
	for _, key := range keys {
		rest, ok := strings.CutPrefix(key, prefix)
		if id, err := schema.ParseUUID(rest); ok && err == nil {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// portRecord loads the record of a port that stands.
func (m *Manager) portRecord(ctx context.Context, network string, id schema.UUID) (*portRecord, error) {
	instance, err := m.instance(ctx)
	if err != nil {
		return nil, err
	}
	r, err := loadPortRecord(ctx, m.store, portName(network, id), instance)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fail(fs.ErrNotExist, "network %q has no port %s", network, id)
	}
	return r, err
}

func loadPortRecord(ctx context.Context, s Store, stored, instance string) (*portRecord, error) {
	r, err := loadJSON[portRecord](ctx, s, stored)
	if err != nil {
		return nil, err
	}
	if r.Instance != instance {
		return nil, errors.Join(fail(fs.ErrNotExist, "port of a machine that has ended"), s.Remove(ctx, stored))
	}
	return r, nil
}

func (r *portRecord) status() (*PortStatus, error) {
	p, err := r.port()
	if err != nil {
		return nil, err
	}
	return &PortStatus{
		Network: r.Name, Port: p, Link: r.Link, Since: r.Since, Built: r.Plan, Broken: r.Broken, Deleting: r.Stage == stopping, Origin: r.Origin,
	}, nil
}

// moveTo plugs a recorded port of a network into the bridge that the network has now, and reports whether that is another
// one. The zero socket is none.
func (r *portRecord) moveTo(into socket) (moved bool, err error) {
	if into.bridge == "" {
		return false, nil
	}
	for i, step := range r.Plan {
		if plug, ok := step.Op.(host.Plug); ok && plug.Bridge != into.bridge {
			plug.Bridge = into.bridge
			r.Plan[i].Op = plug
			moved = true
		}
		if class, ok := step.Op.(host.AddClass); ok && class.Link != into.bridge {
			class.Link = into.bridge
			r.Plan[i].Op = class
			moved = true
		}
	}
	p, err := r.port()
	if err != nil {
		return false, err
	}
	if p.Plug == nil || !moved && p.Plug.Type == into.kind && p.Plug.Bridge.String() == into.bridge {
		return moved, nil
	}
	p.Plug.Type, p.Plug.Bridge = into.kind, schema.Text(into.bridge)
	return true, r.setPort(p)
}
