// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"encoding/json"
	"reflect"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

// libvirt is what libvirt keeps on the machine, and what its servers have given out.
type libvirt struct {
	host.Libvirt
	leases map[string][]host.Lease // by network
}

// SetLibvirt makes libvirt run networks on the machine. Their links, addresses and routes are made by operations.
func (m *Machine) SetLibvirt(l host.Libvirt) {
	defer m.lock().Unlock()
	m.libvirt.Libvirt = cloneLibvirt(l)
}

// SetLibvirtLeases sets what libvirt's server of a network has given out.
func (m *Machine) SetLibvirtLeases(network string, leases ...host.Lease) {
	defer m.lock().Unlock()
	m.libvirt.leases[network] = slices.Clone(leases)
}

func (m *Machine) libvirtFacts(scope host.Scope, f *host.Facts) {
	if scope.Libvirt {
		f.Libvirt = cloneLibvirt(m.libvirt.Libvirt)
	}
}

// takeServer starts a server in the place of libvirt's.
func (m *Machine) takeServer(o host.TakeServer) error {
	if err := m.daemonEnded(); err != nil {
		return err
	}
	if ours := m.servers[o.Server.Name]; ours != nil && !ours.dead {
		return exists("server %s", o.Server.Name)
	}
	theirs := m.libvirt.Server(o.Was.Network)
	if (theirs != nil || len(o.Was.Command) > 0) && (theirs == nil || !reflect.DeepEqual(*theirs, o.Was)) {
		return missing("server of libvirt's network %s", o.Was.Network)
	}
	servers := m.libvirt.Servers
	m.dropLibvirtServer(o.Was.Network)
	if err := m.serve(host.Serve{Server: o.Server, Leases: m.libvirt.leases[o.Was.Network]}); err != nil {
		m.libvirt.Servers = servers
		return err
	}
	return nil
}

// returnServer starts libvirt's server in the place of ours.
func (m *Machine) returnServer(o host.ReturnServer) error {
	ours, theirs := m.servers[o.Server.Name], m.libvirt.Server(o.Was.Network)
	if ours == nil && (theirs != nil || len(o.Was.Command) == 0) {
		return missing("server %s", o.Server.Name)
	}
	if ours != nil {
		m.libvirt.leases[o.Was.Network] = slices.Clone(ours.leases)
		delete(m.servers, o.Server.Name)
	}
	if theirs == nil && len(o.Was.Command) > 0 {
		m.libvirt.Servers = append(slices.Clone(m.libvirt.Servers), o.Was)
	}
	return nil
}

func (m *Machine) dropLibvirtServer(network string) {
	m.libvirt.Servers = slices.DeleteFunc(slices.Clone(m.libvirt.Servers), func(s host.LibvirtServer) bool { return s.Network == network })
}

func (m *Machine) daemonEnded() error {
	if m.libvirt.Daemon != 0 {
		return denied("libvirt runs as process %d", m.libvirt.Daemon)
	}
	return nil
}

func (m *Machine) disown(o host.Disown) error {
	if err := m.daemonEnded(); err != nil {
		return err
	}
	n := m.libvirt.Network(o.Network.Name)
	if n == nil || !n.Equal(o.Network) {
		return missing("libvirt's network %s", o.Network.Name)
	}
	m.dropLibvirtNetwork(o.Network.Name)
	return nil
}

func (m *Machine) own(o host.Own) error {
	n := m.libvirt.Network(o.Network.Name)
	missing, lacks := o.Missing(n)
	switch {
	case !lacks:
		return exists("libvirt's network %s", o.Network.Name)
	case n == nil:
		m.libvirt.Networks = append(m.libvirt.Networks, missing)
		return nil
	}
	n.Status += missing.Status
	n.Definition += missing.Definition
	n.Autostart = n.Autostart || missing.Autostart
	n.Ports = append(n.Ports, missing.Ports...)
	return nil
}

func (m *Machine) dropLibvirtNetwork(name string) {
	m.libvirt.Networks = slices.DeleteFunc(m.libvirt.Networks, func(n host.LibvirtNetwork) bool { return n.Name == name })
}

func (m *Machine) dropRules(o host.DropRules) error {
	m.libvirt.Rules = slices.DeleteFunc(m.libvirt.Rules, func(r host.LibvirtRule) bool { return r.About(o.Link, o.Subnets) })
	return nil
}

// cloneLibvirt copies its lists by the form in which they are stored, as cloneServer does.
func cloneLibvirt(l host.Libvirt) host.Libvirt {
	var c host.Libvirt
	data, err := json.Marshal(l)
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err != nil {
		panic(err) // it is plain data
	}
	return c
}
