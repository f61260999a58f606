// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/go-virtnet/virtnet/network/host"
)

var (
	_ host.Backend       = (*Machine)(nil)
	_ host.TapOpener     = (*Machine)(nil)
	_ host.MacvtapOpener = (*Machine)(nil)
	_ host.LeaseReader   = (*Machine)(nil)

	_ host.NeighbourReader = (*Machine)(nil)
)

// A Machine is a machine in memory. The zero Machine is like a fresh network namespace of Linux: it has nothing but a
// loopback device, which is down. It may be used by many goroutines, and must not be copied.
//
// What a machine has to suffer besides operations are methods: [Machine.Reboot], [Machine.FlushFilters],
// [Machine.KillServer] and so on. A person at the keyboard is Do with any operation.
type Machine struct {
	// Fail is asked before each operation that makes sense; nil never fails. If it returns an error the operation
	// fails with it and nothing changes. It may call the Machine's other methods, and is called by the goroutine that
	// called Do.
	Fail func(op host.Op) error

	// FailSettle is asked by each Settle, which fails with its error; nil never fails. It must not call the Machine's other methods.
	FailSettle func() error

	// Shaping is what the machine can do about traffic; nil is everything. It is set before the machine is used.
	Shaping *host.Shaping

	// Repairs is how the machine can repair the checksums of what DHCP servers answer; nil is every way. It is set before the
	// machine is used.
	Repairs []host.Repair

	// NoVLANFiltering is set on a machine whose bridges cannot keep VLANs apart, before it is used.
	NoVLANFiltering bool

	mu  sync.Mutex
	log []host.Op
	// boots counts the starts; 0 is a zero Machine that was not used yet.
	boots int
	// functions are the cards on the PCI bus with their virtual functions.
	functions []*function
	places    map[host.PCI]*function
	// ovsBridges are the bridges of Open vSwitch.
	ovsBridges []string
	// watches are those who watch, and seen is what they were last told of.
	watches []*watch
	seen    *host.Facts
	// wire is what is outside.
	wire wire
	state
}

// A hold is the use of a machine, which ends with Unlock.
type hold Machine

// Unlock tells those who watch what has changed.
func (h *hold) Unlock() {
	(*Machine)(h).tell()
	h.wire.ring()
	h.mu.Unlock()
}

// A state is what a machine loses when it is switched off.
type state struct {
	links      map[string]*link
	macvtaps   map[string]bool // those of the links that are of this kind, or macvlan
	addrs      []host.Addr     // in the order they were added: the first of a network is its primary one
	routes     []host.Route    // those that somebody added; connected ones follow from the addresses
	learned    []host.Route    // those of router advertisements
	ipv4, ipv6 bool            // forwarding
	filters    map[string]host.Filter
	zoning     zoning
	resolver   host.Resolver
	firewall   host.Firewall // of other programs
	shapes     map[string]host.Shape
	classes    []host.Class
	filled     map[string]bool // links that fill checksums in
	discarded  []string        // links that are gone but for Settle
	servers    map[string]*server
	ovsPorts   map[string]host.OVSPort // of Open vSwitch
	libvirt    libvirt
	// associations are those that the agent of the machine has told switches of.
	associations map[host.UUID]host.Association
	profiles     map[profiled]host.Profile
	namespaces   map[string]bool
	guests       []guestLink
}

// New returns a machine with these network cards and a loopback device. The cards are up, have an MTU of 1500 and the
// hardware addresses 02:00:00:00:00:01, 02:00:00:00:00:02 and so on. It panics if a name is none, or given twice.
func New(links ...string) *Machine {
	m := &Machine{}
	for _, name := range links {
		if err := m.AddLink(name); err != nil {
			panic(err)
		}
	}
	return m
}

// Reboot switches the machine off and on again: its network cards are as they were at first, and everything else is
// gone. The machine has another Instance then. The log stays.
func (m *Machine) Reboot() {
	defer m.lock().Unlock()
	m.boot()
}

// Log returns the operations that were done, in their order. Those that failed are not among them.
func (m *Machine) Log() []host.Op {
	defer m.lock().Unlock()
	return slices.Clone(m.log)
}

// String prints everything there is on the machine, as stable text: the facts with all functions of its cards, the kernel
// parameters that are not as the kernel sets them, and the leases.
func (m *Machine) String() string {
	defer m.lock().Unlock()
	scope := host.Scope{All: true, Libvirt: true, Zones: true, Resolver: true, Namespaces: slices.Collect(maps.Keys(m.namespaces))}
	for _, fn := range m.functions {
		scope.VFs = append(scope.VFs, fn.PCI)
	}
	f := m.facts(scope)
	for name, l := range m.links {
		for key, value := range l.sysctls {
			f.Sysctls = append(f.Sysctls, host.Sysctl{Key: key.path(name), Value: value})
		}
	}
	f.Sort()
	var b strings.Builder
	b.WriteString(f.String())
	for _, name := range slices.Sorted(maps.Keys(m.servers)) {
		for _, l := range m.servers[name].leases {
			fmt.Fprintf(&b, "lease %s mac %s name %q of %s\n", l.Addr, l.MAC, l.Hostname, name)
		}
	}
	return b.String()
}

// Facts looks at the machine; see [host.Backend].
func (m *Machine) Facts(ctx context.Context, scope host.Scope) (*host.Facts, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	defer m.look().Unlock()
	return m.facts(scope), nil
}

func (m *Machine) facts(scope host.Scope) *host.Facts {
	f := &host.Facts{Instance: fmt.Sprintf("boot %d", m.boots)}
	scope = m.functionFacts(scope, f)
	m.linkFacts(scope, f)
	m.receiveFacts(scope, f)
	m.addrFacts(scope, f)
	m.routeFacts(scope, f)
	m.sysctlFacts(scope, f)
	m.forwardingFacts(scope, f)
	m.filterFacts(scope, f)
	m.zoneFacts(scope, f)
	m.resolverFacts(scope, f)
	m.shapeFacts(scope, f)
	m.checksumFacts(scope, f)
	m.serverFacts(scope, f)
	m.switchFacts(scope, f)
	m.ovsFacts(scope, f)
	m.libvirtFacts(scope, f)
	m.associationFacts(scope, f)
	m.profileFacts(scope, f)
	m.guestFacts(scope, f)
	f.Sort()
	return f
}

// Do carries out one operation; see [host.Backend].
func (m *Machine) Do(ctx context.Context, op host.Op) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := op.Check(); err != nil {
		return err
	}
	if m.Fail != nil {
		if err := m.Fail(op); err != nil {
			return err
		}
	}
	defer m.lock().Unlock()
	m.pass(op)
	if err := m.do(op); err != nil {
		return err
	}
	m.log = append(m.log, op)
	return nil
}

// do changes the machine entirely or not at all.
func (m *Machine) do(op host.Op) error {
	switch op := op.(type) {
	case host.AddBridge:
		return m.addBridge(op)
	case host.DelBridge:
		return m.delLink(op.Link, host.Bridge, op.MAC)
	case host.AddTap:
		return m.addTap(op)
	case host.DelTap:
		return m.delLink(op.Link, host.Tap, op.MAC)
	case host.AddVeth:
		return m.addVeth(op)
	case host.DelVeth:
		return m.delLink(op.Link, host.Veth, op.MAC)
	case host.AddMacvtap:
		return m.addMacvtap(op)
	case host.DelMacvtap:
		return m.delMacvtap(op)
	case host.AddMacvlan:
		return m.addMacvlan(op)
	case host.DelMacvlan:
		return m.delMacvlan(op)
	case host.Raise:
		return m.setUp(host.SetUp(op))
	case host.Plug:
		return m.plug(op)
	case host.Unplug:
		return m.unplug(op)
	case host.Reflect:
		return m.reflect(op.Link, true)
	case host.Unreflect:
		return m.reflect(op.Link, false)
	case host.SetUp:
		return m.setUp(op)
	case host.SetDown:
		return m.setDown(op)
	case host.SetMTU:
		return m.setMTU(op)
	case host.AddAddr:
		return m.addAddr(op)
	case host.DelAddr:
		return m.delAddr(op)
	case host.AddRoute:
		return m.addRoute(op)
	case host.DelRoute:
		return m.delRoute(op)
	case host.SetSysctl:
		return m.setSysctl(op)
	case host.EnableForwarding:
		return m.forward(op.IPv6, true)
	case host.DisableForwarding:
		return m.forward(op.IPv6, false)
	case host.SetFilter:
		return m.setFilter(op)
	case host.SetZone:
		return m.setZone(op)
	case host.Register:
		return m.register(op)
	case host.Unregister:
		if _, err := m.link(op.Link); err != nil {
			return err
		}
		m.unregister(op.Link)
		return nil
	case host.SetShape:
		return m.setShape(op)
	case host.AddClass:
		return m.addClass(host.Class(op))
	case host.DelClass:
		return m.delClass(host.Class(op))
	case host.SetClass:
		return m.setClass(op)
	case host.FillChecksums:
		return m.fillChecksums(op)
	case host.UnfillChecksums:
		return m.unfillChecksums(op)
	case host.Associate:
		return m.associate(op)
	case host.Disassociate:
		return m.disassociate(op)
	case host.AddProfile:
		return m.addProfile(op)
	case host.DelProfile:
		return m.delProfile(op)
	case host.Serve:
		return m.serve(op)
	case host.Unserve:
		return m.unserve(op)
	case host.SetServer:
		return m.setServer(op)
	case host.FilterVLANs:
		return m.filterVLANs(op)
	case host.SetReceive:
		return m.setReceive(op)
	case host.SetBridge:
		return m.setBridge(op)
	case host.SetPlug:
		return m.setPlug(op)
	case host.SetFunction:
		return m.setFunction(op)
	case host.SetDriver:
		return m.setDriver(op)
	case host.AddOVSPort:
		return m.addOVSPort(host.OVSPort(op))
	case host.DelOVSPort:
		return m.delOVSPort(host.OVSPort(op))
	case host.SetOVSPort:
		return m.setOVSPort(op)
	case host.SetOwner:
		return m.setOwner(op)
	case host.TakeServer:
		return m.takeServer(op)
	case host.ReturnServer:
		return m.returnServer(op)
	case host.Disown:
		return m.disown(op)
	case host.Own:
		return m.own(op)
	case host.DropRules:
		return m.dropRules(op)
	}
	return fmt.Errorf("operation %T: %w", op, errors.ErrUnsupported)
}

// lock begins the use of the machine, and makes a zero Machine ready:
//
//	defer m.lock().Unlock()
func (m *Machine) lock() *hold {
	m.look()
	return (*hold)(m)
}

// look is lock for those who change nothing.
func (m *Machine) look() *sync.Mutex {
	m.mu.Lock()
	if m.boots == 0 {
		m.boot()
	}
	return &m.mu
}

// boot puts the machine into the state it has after a start.
func (m *Machine) boot() {
	links := map[string]*link{loopback: newLink(host.Link{Name: loopback, MTU: 65536})}
	for name, l := range m.links {
		if l.card {
			links[name] = newCard(name, l.MAC)
		}
	}
	m.bootFunctions(links)
	m.bootOVS(links)
	m.boots++
	m.state = state{
		links:      links,
		macvtaps:   map[string]bool{},
		filters:    map[string]host.Filter{},
		shapes:     map[string]host.Shape{},
		filled:     map[string]bool{},
		servers:    map[string]*server{},
		ovsPorts:   map[string]host.OVSPort{},
		libvirt:    libvirt{leases: map[string][]host.Lease{}},
		namespaces: map[string]bool{},

		associations: map[host.UUID]host.Association{},
		profiles:     map[profiled]host.Profile{},
	}
}

// The errors of a machine, by what is the matter.

func exists(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, fs.ErrExist)...)
}

func missing(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, fs.ErrNotExist)...)
}

func refused(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, fs.ErrInvalid)...)
}

func denied(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, fs.ErrPermission)...)
}
