// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

// A server runs, or died and left behind what it gave out.
type server struct {
	host.Server
	dead   bool
	leases []host.Lease
}

// GiveLease makes a server give out an address. It takes the place of an earlier lease of that address.
func (m *Machine) GiveLease(name string, lease host.Lease) error {
	defer m.lock().Unlock()
	s := m.servers[name]
	if s == nil || s.dead {
		return missing("server %s", name)
	}
	s.give(lease)
	return nil
}

// KillServer ends a server as kill -9 does. Its leases can still be read, and the next server of that name goes on with
// them.
func (m *Machine) KillServer(name string) error {
	defer m.lock().Unlock()
	s := m.servers[name]
	if s == nil || s.dead {
		return missing("server %s", name)
	}
	s.dead = true
	return nil
}

// Leases returns what a server has given out; see [host.LeaseReader]. None ever ends by itself: the machine has no clock.
func (m *Machine) Leases(ctx context.Context, name string) ([]host.Lease, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	defer m.lock().Unlock()
	s := m.servers[name]
	if s == nil {
		return nil, missing("server %s", name)
	}
	return slices.Clone(s.leases), nil
}

func (m *Machine) serverFacts(scope host.Scope, f *host.Facts) {
	for name, s := range m.servers {
		if scope.HasServer(name) && !s.dead {
			f.Servers = append(f.Servers, cloneServer(s.Server))
		}
	}
}

// serve starts a server unless one of that name runs, or one that already listens where it would. A server outlives its
// link, as a process does.
func (m *Machine) serve(o host.Serve) error {
	earlier := m.servers[o.Server.Name]
	if earlier != nil && !earlier.dead {
		return exists("server %s", o.Server.Name)
	}
	if _, err := m.link(o.Server.Link); err != nil {
		return err
	}
	if err := m.portFree(o.Server); err != nil {
		return err
	}
	s := &server{Server: cloneServer(o.Server)}
	s.give(o.Leases...)
	if earlier != nil {
		s.give(earlier.leases...)
	}
	m.servers[s.Name] = s
	return nil
}

func (m *Machine) unserve(o host.Unserve) error {
	if m.servers[o.Server.Name] == nil {
		return missing("server %s", o.Server.Name)
	}
	delete(m.servers, o.Server.Name)
	return nil
}

// setServer gives a server that runs another configuration.
func (m *Machine) setServer(o host.SetServer) error {
	s := m.servers[o.Server.Name]
	if s == nil || s.dead {
		return missing("server %s", o.Server.Name)
	}
	if _, err := m.link(o.Server.Link); err != nil {
		return err
	}
	if err := m.portFree(o.Server); err != nil {
		return err
	}
	s.Server = cloneServer(o.Server)
	return nil
}

// portFree refuses a server of names where another one listens.
func (m *Machine) portFree(s host.Server) error {
	for _, other := range m.servers {
		if !other.dead && other.Name != s.Name && other.Link == s.Link && other.DNS != nil && s.DNS != nil {
			return exists("server %s has port 53 of %s", other.Name, other.Link)
		}
	}
	for _, other := range m.libvirt.Servers {
		if other.Link == s.Link && s.DNS != nil {
			return exists("libvirt's server of %s has port 53 of %s", other.Network, other.Link)
		}
	}
	return nil
}

// give adds leases. The last of an address counts.
func (s *server) give(leases ...host.Lease) {
	for _, lease := range leases {
		s.leases = slices.DeleteFunc(s.leases, func(l host.Lease) bool { return l.Addr == lease.Addr })
		s.leases = append(s.leases, lease)
	}
	slices.SortFunc(s.leases, func(a, b host.Lease) int { return a.Addr.Compare(b.Addr) })
}

// cloneServer copies the many lists of a server by the form in which they are stored.
func cloneServer(s host.Server) host.Server {
	var c host.Server
	data, err := json.Marshal(s)
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err != nil {
		panic(err) // a server is plain data
	}
	return c
}
