// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/go-virtnet/virtnet/network/host"
)

// TestBackend tests everything that [host.Backend] promises, and of the optional interfaces those that the backend has.
// open gives a backend for an empty machine: nothing but a loopback device, and no servers or filters. Each test opens
// its own, and may leave things on it. Operations with network namespaces are left out; use a [Suite] for them.
func TestBackend(t *testing.T, open func(t *testing.T) host.Backend) {
	Suite{Open: open}.Run(t)
}

// A Suite is TestBackend with a say in what is tested.
type Suite struct {
	// Open gives a backend for an empty machine. It is called often.
	Open func(t *testing.T) host.Backend
	// Namespace gives the file of an empty network namespace that the machine which was opened last can reach. It is
	// for the operations with veths and macvlan devices, which are skipped if it is nil.
	Namespace func(t *testing.T) string
	// Firewalld readies firewalld on the machine that was opened last, with the zones home and work and no link in either. It
	// is for the operations with zones, which are skipped if it is nil.
	Firewalld func(t *testing.T)
	// Resolver readies the resolver of the machine that was opened last. It is for the operations with name servers, which are
	// skipped if it is nil.
	Resolver func(t *testing.T)
	// Without lists operations that the machine cannot do; only their types matter. They have to fail with
	// errors.ErrUnsupported, and what needs them is skipped. Any other operation has to work.
	Without []host.Op
	// PF puts a network card with virtual functions into the machine that was opened last, and returns its name and the
	// number of its functions, which have network devices. It is for the facts about functions and the operations on them,
	// which are not tested if it is nil. The drivers that have the functions are to be the machine's own.
	PF func(t *testing.T) (name string, functions int)
	// OVS puts the bridges of Open vSwitch that are named into the machine that was opened last. Their hardware addresses
	// and sizes do not follow those of their ports. It is for the operations with ports of Open vSwitch, which are skipped if
	// it is nil.
	OVS func(t *testing.T, bridges ...string)
	// Others has other programs filter on the machine that was opened last. What a backend tells of them is not tested if it is
	// nil.
	Others func(t *testing.T, fw host.Firewall)
	// Learn has the machine that was opened last learn of a neighbour on a link. What is learned is not tested if it is nil.
	Learn func(t *testing.T, link string, n host.Neighbour)
	// Send has the guest send so many frames by the device that made has made on the machine that was opened last, which are
	// counted when it returns. What is counted is not tested if it is nil.
	Send func(t *testing.T, made host.Op, frames int)
	// Switch puts a network card of that name into the machine that was opened last, at a switch that reflects when it is asked
	// and associates guests. What needs that is skipped if it is nil.
	Switch func(t *testing.T, link string)
	// Libvirt has libvirt keep these networks and rules on the machine that was opened last, with these leases of the first
	// network, and run a server of that on the bridge br0, which it returns. Operations that take something over from libvirt are
	// not tested if it is nil.
	Libvirt func(t *testing.T, l host.Libvirt, leases []host.Lease) host.LibvirtServer
}

// RunOps runs the tests of operations of the types of ops and their inverses, each as a subtest of t, and no others.
func (s Suite) RunOps(t *testing.T, ops ...host.Op) {
	s.runOps(t, func(op host.Op) bool { return anyLike(ops, op) })
}

func (s Suite) runOps(t *testing.T, wanted func(host.Op) bool) {
	t.Run("op", func(t *testing.T) {
		for _, c := range opCases() {
			if wanted(c.op) {
				t.Run(c.name, func(t *testing.T) { c.run(t, s) })
			}
		}
	})
	t.Run("effect", func(t *testing.T) {
		for _, c := range effects() {
			if wanted(c.op) {
				t.Run(c.name, func(t *testing.T) { c.run(t, s) })
			}
		}
	})
}

// Run runs the tests, each as a subtest of t.
func (s Suite) Run(t *testing.T) {
	s.runOps(t, func(host.Op) bool { return true })
	t.Run("plan", s.testPlans)
	t.Run("facts", s.testFacts)
	t.Run("functions", s.testFunctions)
	t.Run("canceled", s.testCanceled)
	t.Run("shaping", s.testShaping)
	t.Run("concurrent", s.testConcurrent)
	t.Run("unknown", s.testUnknown)
	t.Run("walk", s.testWalk)
	t.Run("TapOpener", s.testTapOpener)
	t.Run("MacvtapOpener", s.testMacvtapOpener)
	t.Run("LeaseReader", s.testLeaseReader)
	t.Run("NeighbourReader", s.testNeighbourReader)
	t.Run("CounterReader", s.testCounterReader)
	t.Run("FirewallReader", s.testFirewall)
	t.Run("Batcher", s.testBatcher)
	t.Run("Joiner", s.testJoiner)
	t.Run("Discarder", s.testDiscarder)
	t.Run("Watcher", s.testWatcher)
	t.Run("SwitchWatcher", s.testSwitchWatcher)
	t.Run("RelayProber", s.testRelayProber)
	t.Run("libvirt", s.testLibvirt)
}

// lacks reports whether the machine cannot do one of the operations.
func (s Suite) lacks(ops ...host.Op) bool {
	return slices.ContainsFunc(ops, func(op host.Op) bool { return anyLike(s.Without, op) })
}

// anyLike reports whether an operation or its inverse is of the type of one of a list.
func anyLike(list []host.Op, op host.Op) bool {
	return slices.ContainsFunc(list, func(like host.Op) bool {
		return reflect.TypeOf(op) == reflect.TypeOf(like) || reflect.TypeOf(op.Inverse()) == reflect.TypeOf(like)
	})
}

// A bench is a machine under test.
type bench struct {
	t       *testing.T
	backend host.Backend
	// besides is looked at besides everything else.
	besides host.Scope
	// namespace takes the place of [guest].
	namespace string
}

// open skips the test if the machine cannot do what it needs.
func (s Suite) open(t *testing.T, needs ...host.Op) *bench {
	t.Helper()
	if s.lacks(needs...) {
		t.Skip("the machine cannot do what this needs, as the caller said")
	}
	scope := planOf(needs).Scope()
	if scope.Zones && s.Firewalld == nil {
		t.Skip("the caller gave no firewalld")
	}
	if scope.Resolver && s.Resolver == nil {
		t.Skip("the caller gave no resolver")
	}
	x := &bench{t: t, backend: s.Open(t), besides: host.Scope{
		Sysctls: scope.Sysctls, Libvirt: scope.Libvirt, Zones: scope.Zones, Resolver: scope.Resolver, Profiles: scope.Profiles, Receives: scope.Receives,
	}}
	if scope.Zones {
		s.Firewalld(t)
	}
	if scope.Resolver {
		s.Resolver(t)
	}
	switched := false
	for _, op := range needs {
		_, pair := op.(host.AddVeth)
		_, macvlan := op.(host.AddMacvlan)
		if (pair || macvlan) && x.namespace == "" {
			if s.Namespace == nil {
				t.Skip("the caller gave no network namespace")
			}
			x.namespace = s.Namespace(t)
		}
		if _, ok := op.(host.Associate); ok && !switched {
			if switched = s.Switch != nil; !switched {
				t.Skip("the caller gave no switch")
			}
			s.Switch(t, switchedCard)
		}
	}
	if slices.ContainsFunc(needs, onOVS) {
		if s.OVS == nil {
			t.Skip("the caller gave no Open vSwitch")
		}
		s.OVS(t, ovsBridges...)
	}
	// New namespaces of Linux inherit the forwarding of the machine.
	for _, op := range []host.Op{host.DisableForwarding{}, host.DisableForwarding{IPv6: true}} {
		if !s.lacks(op) && !op.Holds(x.facts()) {
			x.do(op)
		}
	}
	return x
}

// onOVS reports whether an operation is about a port of Open vSwitch.
func onOVS(op host.Op) bool { return len(op.Scope().OVSPorts) > 0 }

// switchedCard is the network card that is connected to a switch.
const switchedCard = "eth9"

func planOf(ops []host.Op) host.Plan {
	var p host.Plan
	for _, op := range ops {
		p = append(p, host.Step{Op: op, From: "test"})
	}
	return p
}

// here puts an operation into the namespace that the test was given.
func (x *bench) here(op host.Op) host.Op {
	switch o := op.(type) {
	case host.AddVeth:
		if o.Namespace == guest && x.namespace != "" {
			o.Namespace = x.namespace
		}
		return o
	case host.DelVeth:
		return x.here(host.AddVeth(o)).Inverse()
	case host.AddMacvlan:
		if o.Namespace == guest && x.namespace != "" {
			o.Namespace = x.namespace
		}
		return o
	case host.DelMacvlan:
		return x.here(host.AddMacvlan(o)).Inverse()
	}
	return op
}

// try does one operation.
func (x *bench) try(op host.Op) error { return x.backend.Do(context.Background(), x.here(op)) }

// do does operations that have to succeed.
func (x *bench) do(ops ...host.Op) {
	x.t.Helper()
	for _, op := range ops {
		if err := x.try(op); err != nil {
			x.t.Fatalf("%s: %v", op, err)
		}
	}
}

// refuses does an operation that has to fail with that error and to change nothing.
func (x *bench) refuses(op host.Op, want error) {
	x.t.Helper()
	before := x.facts()
	if err := x.try(op); !errors.Is(err, want) {
		x.t.Errorf("%s: error %v, want %v", op, err, want)
	}
	x.same("after the refused "+op.String(), before)
}

// facts looks at the whole machine.
func (x *bench) facts() *host.Facts {
	x.t.Helper()
	return x.look(x.besides.And(host.Scope{All: true}))
}

func (x *bench) look(scope host.Scope) *host.Facts {
	x.t.Helper()
	if x.namespace != "" {
		scope.Namespaces = []string{x.namespace}
	}
	f, err := x.backend.Facts(context.Background(), scope)
	if err != nil {
		x.t.Fatalf("facts: %v", err)
	}
	for i := range f.Guests {
		f.Guests[i].Namespace = guest
	}
	return f
}

// same wants the machine to be as it was.
func (x *bench) same(when string, want *host.Facts) {
	x.t.Helper()
	x.equal(when, x.facts(), want)
}

func (x *bench) equal(when string, got, want *host.Facts) {
	x.t.Helper()
	if d := diff(want.String(), got.String()); d != "" {
		x.t.Errorf("%s the facts differ (- wanted, + got):\n%s", when, d)
	} else if a, b := text(x.t, want), text(x.t, got); a != b {
		x.t.Errorf("%s the facts differ:\n got %s\nwant %s", when, b, a)
	}
}

// text is all of the facts, which String shortens.
func text(t *testing.T, f *host.Facts) string {
	t.Helper()
	data, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// diff lists the lines that only one text has, those of the first with a minus and then those of the second with a plus.
func diff(a, b string) string {
	var d strings.Builder
	only := func(sign, a, b string) {
		others := map[string]int{}
		for line := range strings.Lines(b) {
			others[line]++
		}
		for line := range strings.Lines(a) {
			if others[line]--; others[line] < 0 {
				d.WriteString(sign + line)
			}
		}
	}
	only("-", a, b)
	only("+", b, a)
	return d.String()
}
