// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// Adopt takes over a network that libvirt runs, without its guests noticing: its bridge with their taps, its addresses and
// routes, and its server with what that has given out. It is then as if the manager had started it, and libvirt does not know
// it any more: libvirt would otherwise end it some day. All of it is done or nothing.
//
// Libvirt's daemon must not run meanwhile, since it has the network in its memory: that is ErrBusy. Guests and networks go
// on without it:
//
//	systemctl stop libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket libvirtd    (or virtnetworkd and its sockets)
//	virtnet adopt default
//	systemctl start libvirtd.socket libvirtd
//
// What changes for libvirt is what virsh net-undefine changes: a network that stayed defined would be started by somebody, which
// fails, and libvirt 11.3 removes the bridge when it does. Guests that run go on, also when the daemon comes back; it
// logs that the network of their interfaces is missing. Their definitions have to name the bridge from now on:
//
//	<interface type='bridge'><source bridge='virbr0'/>...</interface>
//
// Connections of guests live on: the translations of those that stand are the kernel's. For some milliseconds nobody answers
// questions of DHCP and DNS, which are asked again; guests with DHCPv6 look for their server anew and keep their addresses. Of the
// files of libvirt only those that make a network run, be defined and be started by itself are removed. Its empty chains stay,
// its queueing discipline for the checksums of DHCP, and rules that iptables-legacy made, which let pass what it let pass.
//
// To give a network back, stop it and define and start it in libvirt; guests that run lose their bridge meanwhile.
//
// A program that is killed meanwhile leaves what the next [Open] brings to an end: the network is libvirt's as long as libvirt
// has it written down, with its server started again, and is ours from then on. A network of that name that runs is ErrActive,
// and what [PlanAdopt] refuses wraps what it does. An error after libvirt has forgotten the network comes with the Adoption.
func (m *Manager) Adopt(ctx context.Context, req AdoptRequest) (*Adoption, error) {
	release, err := m.lockNetwork(ctx, req.Name)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := m.settle(ctx, req.Name); err != nil {
		return nil, err
	}
	a, r, err := m.claimAdoption(ctx, req)
	if err != nil {
		return nil, err
	}
	if err := host.Apply(ctx, m.backend, a.Plan); err != nil {
		return nil, errors.Join(err, m.giveUpAdoption(context.WithoutCancel(ctx), r, err))
	}
	return a, m.finishAdoption(context.WithoutCancel(ctx), r)
}

// PlanAdopt is what [Manager.Adopt] would do now. It changes nothing, and libvirt's daemon may run.
func (m *Manager) PlanAdopt(ctx context.Context, req AdoptRequest) (*Adoption, error) {
	a, _, err := m.planAdoption(ctx, req)
	if err != nil {
		return nil, err
	}
	return &a.Adoption, nil
}

// planAdoption looks at the host, and plans.
func (m *Manager) planAdoption(ctx context.Context, req AdoptRequest) (*adoption, *host.Facts, error) {
	f, err := m.backend.Facts(ctx, host.Scope{Libvirt: true})
	if err != nil {
		return nil, nil, err
	}
	n, err := req.network(f)
	if err != nil {
		return nil, nil, err
	}
	if f, err = m.backend.Facts(ctx, AdoptScope(n)); err != nil {
		return nil, nil, err
	}
	if req, err = m.namePorts(req); err != nil {
		return nil, nil, err
	}
	a, err := planAdoption(m.config.Rules, req, f)
	if err != nil {
		return nil, nil, err
	}
	if a.Definition != nil {
		_, err = m.identify(ctx, a.Definition)
	}
	return a, f, errors.Join(err, m.checkBridge(ctx, a.Network))
}

// namePorts gives the ports of a request their UUIDs.
func (m *Manager) namePorts(req AdoptRequest) (AdoptRequest, error) {
	req.Ports = slices.Clone(req.Ports)
	for i, p := range req.Ports {
		if p.Port == nil || !p.Port.UUID.IsZero() {
			continue
		}
		id, err := schema.NewUUID(m.config.Rand)
		if err != nil {
			return req, err
		}
		req.Ports[i].Port = p.Port.Clone()
		req.Ports[i].Port.UUID = id
	}
	return req, nil
}

// An adoptionRecord is what a record holds while its network is taken over: what is needed to go back, and to go on.
type adoptionRecord struct {
	// Steps lead to the network that is ours, and After is done then.
	Steps host.Plan `json:"steps"`
	After host.Plan `json:"after"`
	// Built, Definition, Autostart and Ports are what is written down then.
	Built      host.Plan     `json:"built"`
	Definition string        `json:"definition,omitempty"`
	Autostart  bool          `json:"autostart,omitempty"`
	Ports      []*portRecord `json:"ports,omitempty"`
}

// claimAdoption plans under the lock of the host, and writes the record before anything is done.
func (m *Manager) claimAdoption(ctx context.Context, req AdoptRequest) (*Adoption, *record, error) {
	release, err := m.store.Lock(ctx, "host")
	if err != nil {
		return nil, nil, err
	}
	defer release()
	a, f, err := m.planAdoption(ctx, req)
	if err != nil {
		return nil, nil, err
	}
	if a.Daemon != 0 {
		return nil, nil, fail(ErrBusy, "network %q is run by libvirt, process %d, which has to be stopped meanwhile: guests and networks go on without it", req.Name, a.Daemon)
	}
	r, err := a.record(f.Instance, m.config)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range r.Adopting.Ports {
		id, err := p.id()
		if err == nil {
			err = m.checkNewPort(ctx, portName(p.Name, id))
		}
		if err != nil {
			return nil, nil, err
		}
	}
	s := &start{network: a.Network, facts: f, record: r}
	m.saveClaims(ctx, []*start{s})
	return &a.Adoption, r, s.err
}

// record is the record of a network before anything is done.
func (a *adoption) record(instance string, c Config) (*record, error) {
	document, err := a.Network.Format()
	if err != nil {
		return nil, err
	}
	now := c.Now()
	r := &record{Instance: instance, Stage: adopting, Since: now, Name: a.Network.Name, Document: string(document)}
	r.Adopting = &adoptionRecord{Steps: a.Plan, After: a.After, Built: a.Built, Autostart: a.Autostart, Ports: a.taps}
	for _, p := range a.taps {
		p.Instance, p.Since = instance, now
	}
	if a.Definition != nil {
		definition, err := a.Definition.Format()
		if err != nil {
			return nil, err
		}
		r.Adopting.Definition = string(definition)
	}
	return r, nil
}

// giveUpAdoption clears up behind steps that Apply could not carry out, as afterFailure does.
func (m *Manager) giveUpAdoption(ctx context.Context, r *record, err error) error {
	var step *host.StepError
	if errors.As(err, &step) && step.Undo != nil {
		return nil // the record stays, for the next who comes
	}
	return m.forget(ctx, r)
}

// concludeAdoption goes on with an adoption that an ended program left half done, or takes it back: libvirt's own files say
// whose the network is.
func (m *Manager) concludeAdoption(ctx context.Context, r *record) (ours bool, err error) {
	steps := r.Adopting.Steps
	last := steps[len(steps)-1].Op
	f, err := m.backend.Facts(ctx, last.Scope())
	if err != nil {
		return false, err
	}
	if last.Holds(f) {
		return true, m.finishAdoption(ctx, r)
	}
	if err := m.takeStepsBack(ctx, steps); err != nil {
		return false, err
	}
	return false, m.forget(ctx, r)
}

// finishAdoption writes down that a network is ours, which libvirt has forgotten. The record of it comes last.
func (m *Manager) finishAdoption(ctx context.Context, r *record) error {
	a := r.Adopting
	left := m.mend(ctx, a.After)
	if left != nil {
		left = fmt.Errorf("network %q is taken over, but rules of libvirt are left: %w", r.Name, left)
	}
	defined, err := m.defineAdopted(ctx, r)
	if err != nil {
		return errors.Join(left, err)
	}
	var events []Event
	for _, p := range a.Ports {
		id, err := p.id()
		if err == nil {
			err = m.savePort(ctx, p)
		}
		if err != nil {
			return errors.Join(left, err)
		}
		events = append(events, Event{Kind: EventPortAdded, Network: r.Name, Port: id, Link: p.Link})
	}
	r.Stage, r.Plan, r.Adopting = running, a.Built, nil
	if err := saveJSON(ctx, m.store, runName(r.Name), r); err != nil {
		return errors.Join(left, err)
	}
	if defined {
		m.emit(Event{Kind: EventDefined, Network: r.Name})
	}
	for _, e := range slices.Concat([]Event{{Kind: EventStarted, Network: r.Name}}, events) {
		m.emit(e)
	}
	return left
}

// defineAdopted keeps libvirt's definition, unless the network has one.
func (m *Manager) defineAdopted(ctx context.Context, r *record) (defined bool, err error) {
	if r.Adopting.Definition == "" {
		return false, nil
	}
	if r.Adopting.Autostart {
		if err := m.store.Save(ctx, autostartName(r.Name), []byte(r.Name)); err != nil {
			return false, err
		}
	}
	if _, err := m.definition(ctx, r.Name); !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	return true, m.store.Save(ctx, definitionName(r.Name), []byte(r.Adopting.Definition))
}
