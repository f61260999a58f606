// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/go-virtnet/virtnet/network/host"
)

// An Engine answers guests in this process: see [host.Engine]. The zero Engine is ready for use, and one is enough for many
// networks, which share what they need only now and then. It must not be copied or changed once it has started a server.
type Engine struct {
	// Resolvers is the file that names the servers of the machine, which are asked what nobody here knows. Empty is
	// /etc/resolv.conf. It is followed as it changes.
	Resolvers string
	// Hosts is the file of names that the machine knows, and its guests with it. Empty is /etc/hosts. It is followed as it
	// changes.
	Hosts string
	// Limits are how much the guests of each network can take of this process.
	Limits Limits

	once    sync.Once
	sockets share[*server]
	arenas  sync.Pool

	mu sync.Mutex
	// What the machine knows is read once for all networks.
	resolvers map[string]func() []netip.AddrPort
	hosts     func() *machineNames
}

// prepare makes ready what all servers share.
func (e *Engine) prepare() {
	e.sockets.most = e.Limits.orDefault().Sockets
	e.sockets.each = e.sockets.most
}

var _ host.Engine = (*Engine)(nil)

// A server answers the guests of one network.
type server struct {
	engine *Engine
	limits Limits
	link   string
	ground host.Ground
	// ctx ends when the server does.
	ctx    context.Context
	cancel context.CancelFunc
	// running are the goroutines.
	running sync.WaitGroup
	sockets sockets
	asking  upstream
	errands chan errand
	cache   cache
	told    pace
	// questions, conns and transfers are those that are open, by the addresses of guests.
	questions, conns, transfers share[netip.Addr]

	// giving is held while addresses are given out and written down. Who holds it may take mu, and not the other way.
	giving sync.Mutex
	dhcp4  *dhcp4
	dhcp6  *dhcp6

	// machine is who knows servers of names outside.
	machine machine

	// mu is held for moments only. The document changes under both.
	mu sync.Mutex
	// doc is what is served, with what its options say of it.
	doc   host.Server
	names *names
}

// Start answers for a server; see [host.Engine].
func (e *Engine) Start(ctx context.Context, doc host.Server, g host.Ground) (host.Serving, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	doc, said, warnings, err := readOptions(doc)
	if err != nil {
		return nil, fmt.Errorf("server on %s: %w", doc.Link, err)
	}
	s := e.newServer(ctx, doc, said, g)
	for _, w := range warnings {
		s.warn(w)
	}
	s.load(g.Leases, time.Now())
	if err := s.listen(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("server on %s: %w", doc.Link, err), s.Close())
	}
	return s, nil
}

// newServer is a server that has given out nothing, and does not listen yet.
func (e *Engine) newServer(ctx context.Context, doc host.Server, said directives, g host.Ground) *server {
	e.once.Do(e.prepare)
	l := e.Limits.orDefault()
	s := &server{engine: e, limits: l, link: doc.Link, ground: g}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.asking, s.errands = upstream{server: s}, make(chan errand)
	s.told.rate = mostWarnings
	s.questions.most, s.questions.each = l.Questions, l.ClientQuestions
	s.conns.most, s.conns.each = l.Conns, l.ClientConns
	s.transfers.most, s.transfers.each = l.Transfers, l.ClientTransfers
	s.dhcp4 = &dhcp4{server: &s.doc, book: newBook(doc.Subnets, mostLeases(&doc, l), l)}
	s.dhcp6 = &dhcp6{server: &s.doc, book: newBook(doc.Subnets, mostLeases(&doc, l), l), id: serverID(doc.Name)}
	s.take(doc, said)
	return s
}

// known is who tells what the machine knows: its servers, by that file if it is not empty, and its neighbours.
func (e *Engine) known(path string) (servers func() []netip.AddrPort, hosts func() *machineNames) {
	path = cmp.Or(path, e.Resolvers, defaultResolvers)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.hosts == nil {
		e.hosts = neighbours(cmp.Or(e.Hosts, defaultHosts))
	}
	if e.resolvers[path] == nil {
		e.resolvers = with(e.resolvers, path, resolvers(path))
	}
	return e.resolvers[path], e.hosts
}

// take makes it answer as a document and its options say.
func (s *server) take(doc host.Server, said directives) {
	s.doc = doc
	s.dhcp4.said, s.dhcp6.said = said.dhcp, said.dhcp
	s.names = newNames(&s.doc, &said.dns)
	resolvers, hosts := s.engine.known(said.dns.resolvers)
	if s.names != nil && !said.dns.noHosts {
		s.names.machine = hosts
	}
	s.machine.set(resolvers)
	most := s.limits.Answers
	if said.dns.cached != nil {
		most = min(most, *said.dns.cached)
	}
	s.cache.limit(most)
}

// mostLeases is how many addresses can be given out: as many as there are and some more for names that come and go.
func mostLeases(s *host.Server, l Limits) int {
	if s.MaxLeases > 0 {
		return s.MaxLeases
	}
	const more = 256
	n := uint64(more)
	for i := range s.Subnets {
		n += uint64(len(s.Subnets[i].Hosts))
		for _, r := range s.Subnets[i].Ranges {
			n += span(r)
		}
	}
	return int(min(n, uint64(l.Leases)))
}

// load takes over what was given out before.
func (s *server) load(leases []host.Lease, now time.Time) {
	for _, l := range leases {
		book, client, owner := s.dhcp4.book, s.dhcp4.client(s.dhcp4.staticOf(l.Addr), l.MAC, l.ClientID, now), l.MAC.String()
		if l.Addr.Is6() {
			book, client, owner = s.dhcp6.book, client6(l.ClientID, l.IAID), l.ClientID
		}
		h := &holding{lease: l, client: client, owner: owner, state: leased, until: l.Expires}
		if !h.ended(now) && book.hold(h, now) && s.names != nil {
			s.names.lease(l.Hostname, l.Addr, true)
		}
	}
}

// Set makes it answer as another document says; see [host.Serving].
func (s *server) Set(ctx context.Context, doc host.Server) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	doc, said, warnings, err := readOptions(doc)
	if err != nil {
		return fmt.Errorf("server on %s: %w", doc.Link, err)
	}
	for _, w := range warnings {
		s.warn(w)
	}
	s.giving.Lock()
	defer s.giving.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if doc.Link != s.link || !slices.Equal(ports(&doc), ports(&s.doc)) {
		return fmt.Errorf("server on %s: other places to listen at: %w", doc.Link, errors.ErrUnsupported)
	}
	s.take(doc, said)
	for _, b := range []*book{s.dhcp4.book, s.dhcp6.book} {
		b.most = mostLeases(&doc, s.limits)
		b.reserve(doc.Subnets)
		if s.names == nil {
			continue
		}
		for addr, h := range b.at {
			if h.state == leased {
				s.names.lease(h.lease.Hostname, addr, true)
			}
		}
	}
	return nil
}

// Close ends the server; see [host.Serving].
func (s *server) Close() error {
	s.cancel()
	s.asking.close()
	err := s.sockets.close()
	s.running.Wait()
	return err
}

// keep writes changes down, and makes names known. It is called while giving.
func (s *server) keep(changes []host.LeaseChange) error {
	if len(changes) == 0 {
		return nil
	}
	if err := s.ground.Keep(changes); err != nil {
		s.dhcp4.book.doubt(changes)
		s.dhcp6.book.doubt(changes)
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.names != nil {
		for _, c := range changes {
			s.names.lease(c.Lease.Hostname, c.Lease.Addr, !c.Gone)
		}
	}
	return nil
}

// mostWarnings is how much of what goes wrong is told in a second: guests can make much go wrong.
const mostWarnings = 10

// warn tells what went wrong, unless the server is at its end.
func (s *server) warn(err error) {
	if err == nil || s.ctx.Err() != nil || s.ground.Warn == nil {
		return
	}
	s.mu.Lock()
	tell := s.told.allows(time.Now())
	s.mu.Unlock()
	if tell {
		s.ground.Warn(fmt.Errorf("server on %s: %w", s.link, err))
	}
}

// enter takes a place among the sockets of all networks and one in a share of this one, for a guest, and reports whether there
// are both. leave gives them back.
func (s *server) enter(of *share[netip.Addr], guest netip.Addr) bool {
	if !of.take(guest) {
		return false
	}
	if !s.engine.sockets.take(s) {
		of.give(guest)
		return false
	}
	return true
}

func (s *server) leave(of *share[netip.Addr], guest netip.Addr) {
	s.engine.sockets.give(s)
	of.give(guest)
}

// ports are the places at which a server listens, each once.
func ports(s *host.Server) (list []place) {
	add := func(what service, addr netip.Addr) {
		if p := (place{what, addr}); !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	for i := range s.Subnets {
		sub := &s.Subnets[i]
		if s.DNS != nil {
			add(serviceDNS, sub.Prefix.Addr())
		}
		if sub.TFTPRoot != "" {
			add(serviceTFTP, sub.Prefix.Addr())
		}
		switch is6 := sub.Prefix.Addr().Is6(); {
		case sub.HasDHCP() && is6:
			add(serviceDHCP6, netip.IPv6Unspecified())
		case sub.HasDHCP():
			add(serviceDHCP4, netip.IPv4Unspecified())
		}
	}
	if advertises(s) {
		add(serviceRA, netip.IPv6Unspecified())
	}
	return list
}

// A place is where a server listens, and for what.
type place struct {
	what service
	addr netip.Addr
}

// A service is something that guests ask for.
type service uint8

const (
	serviceDNS service = iota
	serviceDHCP4
	serviceDHCP6
	serviceRA
	serviceTFTP
)
