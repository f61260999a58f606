// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/virtualport"
)

// CreatePort makes a port of a running network: virsh net-port-create, and what the request plans for the guest's
// device. What the port gets is worked out by [Resolver.Resolve]; a device of the network's and a traffic class are chosen
// among those that no port has. All of it is done or nothing.
//
// A network that does not run is ErrInactive, an unknown one wraps fs.ErrNotExist, a uuid that is taken fs.ErrExist, and
// what cannot be had because others have it ErrFull.
func (m *Manager) CreatePort(ctx context.Context, req PortRequest) (*PortStatus, error) {
	p := req.Port.Clone()
	if p.UUID.IsZero() {
		id, err := schema.NewUUID(m.config.Rand)
		if err != nil {
			return nil, err
		}
		p.UUID = id
	}
	if err := p.ValidateAs(m.config.Rules); err != nil {
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
	r, err := m.claimPort(ctx, req, p)
	if err != nil {
		return nil, err
	}
	if err := m.hook(ctx, PortPlug, r); err != nil {
		return nil, errors.Join(err, m.forgetPort(context.WithoutCancel(ctx), r))
	}
	closeTap := m.keepTap(req, r.Plan)
	if err := host.Apply(ctx, m.backend, r.Plan); err != nil {
		closeTap()
		return nil, errors.Join(err, m.afterPortFailure(context.WithoutCancel(ctx), r, err))
	}
	r.Stage = running
	if err := m.store.Save(ctx, stored, seal(restaged(r.saved, starting, running))); err != nil {
		r.Stage = starting // as the store has it
		return nil, errors.Join(err, m.takeBackPort(context.WithoutCancel(ctx), r))
	}
	m.emit(Event{Kind: EventPortAdded, Network: r.Name, Port: p.UUID, Link: r.Link})
	return r.status()
}

// keepTap has the tap that a plan makes stay open for a caller who will open it.
func (m *Manager) keepTap(req PortRequest, plan host.Plan) (release func()) {
	keeper, ok := m.backend.(host.TapKeeper)
	for _, step := range plan {
		if tap, makes := step.Op.(host.AddTap); makes && ok && req.Opens {
			return keeper.KeepTap(tap.Link)
		}
	}
	return func() {}
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

// claimPort decides all about a new port and writes its record, while its network cannot be stopped: whoever stops it
// later finds the port.
func (m *Manager) claimPort(ctx context.Context, req PortRequest, p *Port) (*portRecord, error) {
	live, instance, release, err := m.lockLive(ctx, req.Network)
	if err != nil {
		return nil, err
	}
	defer release()
	if p, err = m.resolvePort(live, req, p); err != nil {
		return nil, err
	}
	r := &portRecord{
		record: record{Instance: instance, Stage: starting, Since: m.config.Now(), Name: req.Network},
		Link:   req.linkOf(p), Origin: req.Origin, Holds: p.wants() || req.Reclaim && live != nil,
	}
	template := strings.Contains(r.Link, "%d")
	if !template && !r.Holds {
		return r, m.writePort(ctx, req, p, r)
	}
	return r, m.ledger.locked(ctx, instance, func(c *claims) error {
		if template {
			if r.Link, err = m.ledger.nextLink(ctx, c, r.Link); err != nil {
				return err
			}
		}
		if r.Holds {
			return m.takePort(ctx, c, live, req, p, r)
		}
		if err := saveJSON(ctx, m.store, claimsName, c); err != nil {
			return err
		}
		return m.writePort(ctx, req, p, r)
	})
}

// linkOf is what the device of a port is called that is plugged in as p is, or how its name is made. A card of the PCI bus
// is the guest's device itself.
func (req *PortRequest) linkOf(p *Port) string {
	direct := p.Plug != nil && p.Plug.Type == PlugDirect
	switch {
	case p.Plug != nil && p.Plug.Type == PlugHostdevPCI, direct && req.DirectAway:
		return ""
	case direct && req.DirectLink != "":
		return req.DirectLink
	}
	return req.Link
}

// lockLive returns the live document of a network, under its lock, and the machine that it runs on; for the empty name
// there is no document.
func (m *Manager) lockLive(ctx context.Context, name string) (live *Network, instance string, release func(), err error) {
	if name == "" {
		instance, err = m.instance(ctx)
		return nil, instance, func() {}, err
	}
	if release, err = m.lockNetwork(ctx, name); err != nil {
		return nil, "", nil, err
	}
	live, instance, err = m.liveOf(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err = m.definition(ctx, name); err == nil {
			err = fail(ErrInactive, "network %q is not active", name)
		}
	}
	if err != nil {
		release()
		return nil, "", nil, err
	}
	return live, instance, release, nil
}

// resolvePort works out what a port gets, apart from what has to be chosen.
func (m *Manager) resolvePort(live *Network, req PortRequest, p *Port) (*Port, error) {
	plugged := p.Plug != nil && p.Plug.Type != 0 && p.Plug.Type != PlugNone
	switch {
	case req.Reclaim && !plugged:
		return nil, fail(fs.ErrInvalid, "/networkport/plug: a port that is taken back needs the one it had")
	case req.Reclaim:
		return p, nil
	case plugged && live != nil:
		return nil, fail(fs.ErrInvalid, "/networkport/plug: a new port of network %q gets its plug from there", live.Name)
	}
	r := Resolver{Rules: m.config.Rules, Random: m.config.Rand, Asks: req.Asks}
	res, err := r.Resolve(live, p)
	if err == nil && req.Check != nil {
		err = req.Check(res)
	}
	if err != nil {
		return nil, err
	}
	return res.Port, nil
}

// wants reports whether a port holds something that others then cannot have: a device or a traffic class.
func (p *Port) wants() bool {
	return p.floor() > 0 || p.Plug != nil && (p.Plug.Type == PlugDirect || p.Plug.Type == PlugHostdevPCI)
}

// takePort enters a port into the table of ports, and writes its record. The caller holds the lock of the host.
func (m *Manager) takePort(ctx context.Context, c *claims, live *Network, req PortRequest, p *Port, r *portRecord) error {
	return m.ports.change(ctx, m, c, func(t *portTable) (undo func(), err error) {
		if err := m.enter(ctx, t, live, req, p, held{}); err != nil {
			return nil, err
		}
		undo = func() { _ = t.release(req.Network, p.UUID) }
		_, r.Device, _, err = t.lookup(req.Network, p.UUID)
		return undo, err
	}, func() error { return m.writePort(ctx, req, p, r) })
}

// enter chooses for a port what it needs. It keeps what it had where it can.
func (m *Manager) enter(ctx context.Context, t *portTable, live *Network, req PortRequest, p *Port, had held) error {
	if live == nil {
		f, err := m.backend.Facts(ctx, p.Plug.scope())
		if err != nil {
			return err
		}
		return t.attach(p, f)
	}
	if err := m.offer(ctx, t, live, false); err != nil {
		return err
	}
	if req.Reclaim {
		return m.anew(ctx, t, live, func() error { return t.reclaim(live, p) })
	}
	return m.anew(ctx, t, live, func() error { return m.allocate(ctx, t, live, p, had) })
}

// anew tries once more with devices that may have become free, or that may have come.
func (m *Manager) anew(ctx context.Context, t *portTable, live *Network, take func() error) error {
	err := take()
	if !errors.Is(err, ErrFull) || !live.handsOut() {
		return err
	}
	if err := m.offer(ctx, t, live, true); err != nil {
		return err
	}
	return take()
}

// allocate gives a port the device that it had, or else the first of those that it could have which the host does not need
// itself by now.
func (m *Manager) allocate(ctx context.Context, t *portTable, live *Network, p *Port, had held) error {
	for {
		if err := t.allocateLike(live, p, had); err != nil || !live.handsOut() || m.config.Rules.Skips(BusyDevice) {
			return err
		}
		_, device, _, err := t.lookup(live.Name, p.UUID)
		if err != nil {
			return err
		}
		if device == had.device {
			return nil // what the host does there it does for this port
		}
		f, err := m.backend.Facts(ctx, recheckScope(p, device))
		if err == nil && t.recheck(live, p, f) {
			return nil
		}
		if err := errors.Join(err, t.release(live.Name, p.UUID)); err != nil {
			return err
		}
	}
}

// offer tells the table what devices a network hands out, if it does not know or is to know anew.
func (m *Manager) offer(ctx context.Context, t *portTable, live *Network, anew bool) error {
	if !live.handsOut() || t.offered(live) && !anew {
		return nil
	}
	f, err := m.backend.Facts(ctx, poolScope(live, m.config.Rules))
	if err != nil {
		return err
	}
	return t.offer(live, f)
}

// writePort plans what has to be done for a port, and writes its record.
func (m *Manager) writePort(ctx context.Context, req PortRequest, p *Port, r *portRecord) error {
	if err := m.planPort(ctx, req, p, r); err != nil {
		return err
	}
	return m.savePort(ctx, r)
}

// planPort enters into a record what has to be done for a port, and its document.
func (m *Manager) planPort(ctx context.Context, req PortRequest, p *Port, r *portRecord) error {
	scope := req.Scope.And(p.scope())
	if r.Device.OnPCI() && p.isAlone() {
		scope.VFs = append(scope.VFs, host.PCI(r.Device.PCI))
	}
	f, err := m.backend.Facts(ctx, scope)
	if err != nil {
		return err
	}
	if req.Plan != nil {
		if r.Plan, err = req.Plan(p, r.Link, f); err != nil {
			return err
		}
	}
	floor, err := planFloor(p, f.Shaping)
	if err != nil {
		return err
	}
	r.Plan = append(r.Plan, floor...)
	if err := r.Plan.Check(); err != nil {
		return err
	}
	return r.setPort(p)
}

// scope names what the plan of a port is made by: its bridge or device, and what there is of the switch.
func (p *Port) scope() host.Scope {
	onOVS := p.VirtualPort != nil && p.VirtualPort.Type == virtualport.OpenVSwitch
	return p.Plug.scope().And(host.Scope{Shaping: p.Bandwidth != nil, OVS: onOVS})
}

// scope names the bridge or the device of a plug, which may be nil.
func (p *Plug) scope() host.Scope {
	switch {
	case p == nil:
		return host.Scope{}
	case p.Type == PlugDirect:
		return host.Scope{Bare: []string{p.Dev.String()}, Switches: []string{p.Dev.String()}}
	case p.Type == PlugHostdevPCI && p.Address != nil:
		return host.Scope{VFs: []host.PCI{host.PCI(p.Address.Key())}}
	case p.Bridge.Given():
		return host.Scope{Bare: []string{p.Bridge.String()}}
	}
	return host.Scope{}
}

// afterPortFailure clears up behind a plan that Apply could not carry out, as afterFailure does.
func (m *Manager) afterPortFailure(ctx context.Context, r *portRecord, err error) error {
	var step *host.StepError
	if errors.As(err, &step) && step.Undo != nil {
		r.Stage = stopping
		return m.savePort(ctx, r)
	}
	if err := m.hook(ctx, PortUnplug, r); err != nil {
		r.Stage = stopping
		return errors.Join(err, m.savePort(ctx, r))
	}
	return m.forgetPort(ctx, r)
}
