// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"strings"
	"time"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// A PortRequest asks for a port: the tie between an interface of a guest and a network.
type PortRequest struct {
	// Network is the name of the network. Empty is none: the port then brings its plug with it.
	Network string
	// Port is what the interface asks for. It stays the caller's. A zero UUID is chosen.
	Port *Port
	// Link is the device that is made for the guest. It may hold a %d, which stands for a number that was not used before;
	// empty makes no device.
	Link string
	// Plan says what has to be done on the host for a port with this plug, on the device of that name. Nil does nothing.
	Plan func(p *Port, link string, f *host.Facts) (host.Plan, error)
	// Scope names the facts that Plan needs besides the bridge of the plug.
	Scope host.Scope
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
}

// portRecord is the record of a port.
type portRecord struct {
	record
	Link string `json:"link,omitempty"`
}

func portName(network string, id schema.UUID) string {
	key := ""
	if network != "" {
		key = storeKey(network)
	}
	return "run/ports/" + key + "~" + id.String()
}

func portLock(id schema.UUID) string { return "ports/" + id.String() }

// CreatePort makes a port of a running network: virsh net-port-create, and what the request plans for the guest's
// device. All of it is done or nothing. A network that does not run is ErrInactive, an unknown one wraps fs.ErrNotExist,
// a uuid that is taken fs.ErrExist.
func (m *Manager) CreatePort(ctx context.Context, req PortRequest) (*PortStatus, error) {
	p, err := m.resolvePort(ctx, req)
	if err != nil {
		return nil, err
	}
	release, err := m.store.Lock(ctx, portLock(p.UUID))
	if err != nil {
		return nil, err
	}
	defer release()
	stored := portName(req.Network, p.UUID)
	// Before the lock of the network is taken: who starts it takes the locks of its ports, of those that exist.
	if err := m.checkNewPort(ctx, stored); err != nil {
		return nil, err
	}
	r, err := m.planPort(ctx, req, p)
	if err != nil {
		return nil, err
	}
	if err := m.recordPort(ctx, stored, r); err != nil {
		return nil, err
	}
	if err := host.Apply(ctx, m.backend, r.Plan); err != nil {
		return nil, errors.Join(err, m.afterPortFailure(context.WithoutCancel(ctx), stored, r, err))
	}
	r.Stage = running
	if err := saveJSON(ctx, m.store, stored, r); err != nil {
		return nil, errors.Join(err, m.takeBackPort(context.WithoutCancel(ctx), stored, r))
	}
	return r.status()
}

// resolvePort copies the request's port, and gives it a uuid and the plug of its network.
func (m *Manager) resolvePort(ctx context.Context, req PortRequest) (*Port, error) {
	p := req.Port.Clone()
	if p.UUID.IsZero() {
		id, err := schema.NewUUID(m.config.Rand)
		if err != nil {
			return nil, err
		}
		p.UUID = id
	}
	if req.Network == "" {
		return p, nil
	}
	s, err := m.Lookup(ctx, req.Network)
	if err != nil {
		return nil, err
	}
	if !s.Active() {
		return nil, fail(ErrInactive, "network %q is not active", req.Network)
	}
	p.Plug, err = plugOf(s.Live)
	return p, err
}

// plugOf is what a port of a network is plugged into.
func plugOf(n *Network) (*Plug, error) {
	var manager schema.MACTableManager
	if n.Bridge != nil {
		manager = n.Bridge.MACTableManager
	}
	switch {
	case n.Managed():
		return &Plug{Type: PlugNetwork, Bridge: schema.Text(n.Bridge.Name), MACTableManager: manager}, nil
	case n.HostBridge():
		return &Plug{Type: PlugBridge, Bridge: schema.Text(n.Bridge.Name), MACTableManager: manager}, nil
	}
	return nil, fail(errors.ErrUnsupported, "ports of a network in mode %s are not supported", n.Mode())
}

// planPort names the device, looks at the host and asks the request for its plan.
func (m *Manager) planPort(ctx context.Context, req PortRequest, p *Port) (*portRecord, error) {
	scope := req.Scope
	if p.Plug != nil && p.Plug.Bridge.Given() {
		scope = scope.And(host.Scope{Links: []string{p.Plug.Bridge.String()}})
	}
	f, err := m.backend.Facts(ctx, scope)
	if err != nil {
		return nil, err
	}
	r := &portRecord{record: record{Instance: f.Instance, Stage: starting, Since: m.config.Now(), Name: req.Network}, Link: req.Link}
	if strings.Contains(req.Link, "%d") {
		if r.Link, err = m.ledger.freeLink(ctx, f.Instance, req.Link); err != nil {
			return nil, err
		}
	}
	if req.Plan != nil {
		if r.Plan, err = req.Plan(p, r.Link, f); err != nil {
			return nil, err
		}
	}
	text, err := p.Format()
	if err != nil {
		return nil, err
	}
	r.Document = string(text)
	return r, r.Plan.Check()
}

// recordPort writes the record of a new port. Its network has to run at that moment: whoever stops it later finds it.
func (m *Manager) recordPort(ctx context.Context, stored string, r *portRecord) error {
	if r.Name != "" {
		release, err := m.lockNetwork(ctx, r.Name)
		if err != nil {
			return err
		}
		defer release()
		if _, err := m.running(ctx, r.Name); errors.Is(err, fs.ErrNotExist) {
			return fail(ErrInactive, "network %q is not active", r.Name)
		} else if err != nil {
			return err
		}
	}
	return saveJSON(ctx, m.store, stored, r)
}

// checkNewPort refuses a port that has a record. The caller holds the port's lock.
func (m *Manager) checkNewPort(ctx context.Context, stored string) error {
	if _, err := m.store.Load(ctx, stored); err == nil {
		return fail(fs.ErrExist, "port %s exists already", stored[strings.LastIndexByte(stored, '~')+1:])
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// afterPortFailure clears up behind a plan that Apply could not carry out, as afterFailure does.
func (m *Manager) afterPortFailure(ctx context.Context, stored string, r *portRecord, err error) error {
	var step *host.StepError
	if errors.As(err, &step) && step.Undo != nil {
		r.Stage = stopping
		return saveJSON(ctx, m.store, stored, r)
	}
	return m.store.Remove(ctx, stored)
}

// takeBackPort undoes what a port's record says and forgets it. The caller holds the port's lock.
func (m *Manager) takeBackPort(ctx context.Context, stored string, r *portRecord) error {
	if r.Stage != stopping {
		r.Stage = stopping
		if err := saveJSON(ctx, m.store, stored, r); err != nil {
			return err
		}
	}
	if err := host.Revert(ctx, m.backend, r.Plan); err != nil {
		return err
	}
	return m.store.Remove(ctx, stored)
}

// DeletePort takes a port away: virsh net-port-delete, and the guest's device. It works whether its network still runs or
// not, and is not ended by ctx once it has begun. An unknown port wraps fs.ErrNotExist.
func (m *Manager) DeletePort(ctx context.Context, network string, id schema.UUID) error {
	release, err := m.store.Lock(ctx, portLock(id))
	if err != nil {
		return err
	}
	defer release()
	r, err := m.portRecord(ctx, network, id)
	if err != nil {
		return err
	}
	return m.takeBackPort(context.WithoutCancel(ctx), portName(network, id), r)
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
	p, err := ParsePort(strings.NewReader(r.Document))
	if err != nil {
		return nil, err
	}
	return &PortStatus{Network: r.Name, Port: p, Link: r.Link, Since: r.Since, Built: r.Plan}, nil
}

// moveTo plugs a recorded port of a network's own bridge into the bridge that the network has now, and reports whether
// that is another one. An empty name is none.
func (r *portRecord) moveTo(bridge string) (moved bool, err error) {
	for i, step := range r.Plan {
		if plug, ok := step.Op.(host.Plug); ok && bridge != "" && plug.Bridge != bridge {
			plug.Bridge = bridge
			r.Plan[i].Op = plug
			moved = true
		}
	}
	if !moved {
		return false, nil
	}
	p, err := ParsePort(strings.NewReader(r.Document))
	if err != nil {
		return false, err
	}
	p.Plug.Bridge = schema.Text(bridge)
	text, err := p.Format()
	r.Document = string(text)
	return true, err
}
