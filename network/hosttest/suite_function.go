// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"reflect"
	"testing"

	"github.com/go-virtnet/virtnet/network/host"
)

// RunFunctions runs the tests of facts about network cards with virtual functions, and no others.
func (s Suite) RunFunctions(t *testing.T) { s.testFunctions(t) }

// testFunctions tests what is told of a card with virtual functions, and what is done with one.
func (s Suite) testFunctions(t *testing.T) {
	t.Run("facts", s.testFunctionFacts)
	for _, name := range functionOps {
		t.Run(name, func(t *testing.T) { s.testFunctionOp(t, name) })
	}
	t.Run("busy", s.testBusyFunction)
}

func (s Suite) testFunctionFacts(t *testing.T) {
	x := s.open(t)
	x.equal("of a card that is not there", x.look(host.Scope{Functions: []string{"card9", "a/b", ""}, PCI: []host.PCI{{Domain: 0xffff, Bus: 0xff}}}),
		&host.Facts{Instance: x.look(host.Scope{}).Instance})
	if s.PF == nil {
		t.Skip("the caller gave no card with virtual functions")
	}
	pf, functions := s.PF(t)
	f := x.look(host.Scope{Functions: []string{pf}})
	if len(f.Functions) != functions {
		t.Fatalf("%s has %d functions, want %d:\n%s", pf, len(f.Functions), functions, f)
	}
	x.equal("at the second look", x.look(host.Scope{Functions: []string{pf, pf}}), f)
	places := map[host.PCI]bool{}
	for i, fn := range f.Functions {
		if fn.PF != pf || fn.Index != i || fn.PCI.IsZero() || places[fn.PCI] || fn.Driver == "" {
			t.Errorf("function %d of %s is %s", i, pf, fn)
		}
		places[fn.PCI] = true
		if fn.Link == "" || f.Link(fn.Link) == nil {
			t.Errorf("the network device of %s is not among the facts", fn)
		}
		one := x.look(host.Scope{PCI: []host.PCI{fn.PCI}})
		if len(one.Functions) != 1 || !reflect.DeepEqual(one.Functions[0], fn) || one.Link(fn.Link) == nil {
			t.Errorf("by its place, %s is:\n%s", fn, one)
		}
	}
	both := x.look(host.Scope{Functions: []string{pf}, PCI: []host.PCI{f.Functions[0].PCI}})
	x.equal("when asked for in two ways", both, f)
}

// functionOps are the operations on functions: the names of their cases.
var functionOps = []string{"SetFunction", restarts, "SetDriver"}

// restarts is the case in which the driver of a function starts anew.
const restarts = "SetFunction that starts the driver anew"

// functionCases has the cases for the operations on functions, for one that has a network device.
func functionCases(fn host.Function, l host.Link) map[string]opCase {
	settings := host.SetFunction{PCI: fn.PCI, Generation: fn.Generation, PF: fn.PF, Index: fn.Index, VF: fn.VF, Was: fn.VF}
	settings.VF.MAC, settings.VF.VLAN, settings.VF.QoS, settings.VF.MaxRate = host.MAC{0x52, 0x54, 0, 0, 0, 8}, 42, 3, 500
	settings.VF.Trust, settings.VF.SpoofCheck = host.On, host.Off
	set := fn
	set.VF = settings.VF
	driver := host.SetDriver{
		PCI: fn.PCI, Generation: fn.Generation, Driver: host.Driver{Name: "vfio-pci", Override: "vfio-pci"},
		Was: host.Driver{Name: fn.Driver, Override: fn.Override, Link: l.Name, MAC: l.MAC, MTU: l.MTU, Up: l.Up},
	}
	elsewhere := host.PCI{Domain: 0xffff, Bus: 0xff}
	return map[string]opCase{
		"SetFunction": {
			name: "SetFunction", op: settings, repeatable: true,
			changes: fmt.Sprintf("-function %s\n+function %s\n", fn, set),
			bad: []host.Op{
				with(settings, func(o *host.SetFunction) { o.VF = o.Was }),
				with(settings, func(o *host.SetFunction) { o.PCI = host.PCI{} }),
				with(settings, func(o *host.SetFunction) { o.PF = "" }),
				with(settings, func(o *host.SetFunction) { o.VF.VLAN = 4096 }),
				with(settings, func(o *host.SetFunction) { o.VF.MAC[0] |= 1 }),
				with(settings, func(o *host.SetFunction) { o.VF.State = "up" }),
				with(settings, func(o *host.SetFunction) { o.VF.Proto = "802.1q" }),
				with(settings, func(o *host.SetFunction) { o.VF.MinRate = o.VF.MaxRate + 1 }),
				with(settings, func(o *host.SetFunction) { o.Was.Trust = host.Unknown }),
			},
			dangling: []host.Op{
				with(settings, func(o *host.SetFunction) { o.Generation++ }),
				with(settings, func(o *host.SetFunction) { o.PCI = elsewhere }),
			},
		},
		restarts: restartCase(fn, l, settings.VF.MAC),
		"SetDriver": {
			name: "SetDriver", op: driver, repeatable: true,
			bad: []host.Op{
				with(driver, func(o *host.SetDriver) { o.Driver.Name = o.Was.Name }),
				with(driver, func(o *host.SetDriver) { o.PCI = host.PCI{} }),
				with(driver, func(o *host.SetDriver) { o.Driver.Name = "../x" }),
				with(driver, func(o *host.SetDriver) { o.Driver.Up = true }),
				with(driver, func(o *host.SetDriver) { o.Was.MAC = host.MAC{} }),
				with(driver, func(o *host.SetDriver) { o.Was.MTU = 10 }),
			},
			dangling: []host.Op{
				with(driver, func(o *host.SetDriver) { o.Generation++ }),
				with(driver, func(o *host.SetDriver) { o.PCI = elsewhere }),
			},
		},
	}
}

// restartCase gives a function another address by its card.
func restartCase(fn host.Function, l host.Link, mac host.MAC) opCase {
	op := host.SetFunction{PCI: fn.PCI, Generation: fn.Generation, PF: fn.PF, Index: fn.Index, VF: fn.VF, Was: fn.VF}
	op.VF.MAC, op.VF.VLAN = mac, 7
	op.Restart = host.Driver{Name: fn.Driver, Override: fn.Override, Link: l.Name, MAC: mac, MTU: l.MTU, Up: l.Up}
	set, link := fn, l
	set.VF, link.MAC = op.VF, mac
	return opCase{
		name: restarts, op: op, repeatable: true,
		changes: fmt.Sprintf("-link %s\n-function %s\n+link %s\n+function %s\n", l, fn, link, set),
		bad: []host.Op{
			with(op, func(o *host.SetFunction) { o.Restart.MAC = l.MAC }),
			with(op, func(o *host.SetFunction) { o.Restart.Link = "" }),
			with(op, func(o *host.SetFunction) { o.Was.MAC = host.MAC{} }),
			with(op, func(o *host.SetFunction) { o.VF.MAC, o.Restart.MAC = o.Was.MAC, o.Was.MAC }),
		},
		dangling: []host.Op{with(op, func(o *host.SetFunction) { o.Generation++ })},
	}
}

// openFunction opens a machine with a card, and returns its first function with its network device.
func (s Suite) openFunction(t *testing.T) (*bench, host.Function, host.Link) {
	t.Helper()
	x := s.open(t)
	if s.PF == nil {
		t.Skip("the caller gave no card with virtual functions")
	}
	pf, _ := s.PF(t)
	first := x.look(host.Scope{Functions: []string{pf}}).Functions[0]
	x.besides.VFs = []host.PCI{first.PCI}
	f := x.facts()
	fn := f.Function(first.PCI)
	if fn.VF == (host.VF{}) || fn.Generation == 0 || f.Link(pf) == nil {
		t.Fatalf("of %s and its card too little is told:\n%s", fn, f)
	}
	return x, *fn, *f.Link(fn.Link)
}

func (s Suite) testFunctionOp(t *testing.T, name string) {
	x, fn, l := s.openFunction(t)
	if name == restarts {
		fn, l = x.fixed(fn, l)
	}
	c := functionCases(fn, l)[name]
	if s.lacks(c.op) {
		x.refuses(c.op, errors.ErrUnsupported)
		t.Skipf("the machine cannot do %T, as the caller said", c.op)
	}
	if name == "SetDriver" {
		// What the driver calls the function cannot be known before.
		x.do(c.op)
		bound := x.facts().Function(fn.PCI)
		x.do(c.op.Inverse())
		want := fn
		want.Driver, want.Override, want.Link, want.Fixed, want.VF, want.Node = "vfio-pci", "vfio-pci", "", false, bound.VF, bound.Node
		c.changes = fmt.Sprintf("-link %s\n-function %s\n+function %s\n", l, fn, want)
	}
	for _, op := range c.bad {
		x.refuses(op, fs.ErrInvalid)
	}
	for _, op := range c.dangling {
		x.refuses(op, fs.ErrNotExist)
	}
	before, after := c.forth(x)
	c.back(x, before, after)
}

// fixed has the card of a function fix the address of its network device.
func (x *bench) fixed(fn host.Function, l host.Link) (host.Function, host.Link) {
	x.t.Helper()
	if is := fn.VF; is.MAC != l.MAC {
		is.MAC = l.MAC
		x.do(host.SetFunction{PCI: fn.PCI, Generation: fn.Generation, PF: fn.PF, Index: fn.Index, VF: is, Was: fn.VF})
		fn.VF = is
	}
	op := restartCase(fn, l, host.MAC{0x52, 0x54, 0, 0, 0, 9}).op
	x.do(op, op.Inverse()) // it takes the address when it starts
	f := x.facts()
	return *f.Function(fn.PCI), *f.Link(l.Name)
}

// testBusyFunction wants functions that the host uses to stay with it.
func (s Suite) testBusyFunction(t *testing.T) {
	x, fn, l := s.openFunction(t)
	op := functionCases(fn, l)["SetDriver"].op
	if s.lacks(op) {
		t.Skip("the machine cannot change drivers, as the caller said")
	}
	x.refuses(with(op.(host.SetDriver), func(o *host.SetDriver) { o.Driver.Name = "no-such-driver" }), errors.ErrUnsupported) //nolint:forcetypeassert // it is one
	uses := []host.Op{host.AddAddr{Link: l.Name, Prefix: netip.MustParsePrefix("192.0.2.7/24")}, plug(l.Name, "br0")}
	x.do(br0)
	fixed, l := x.fixed(fn, l)
	restart := restartCase(fixed, l, host.MAC{0x52, 0x54, 0, 0, 0, 9}).op
	uses = append(uses, with(mv0, func(o *host.AddMacvtap) { o.Lower = l.Name }))
	for _, use := range uses {
		x.do(use)
		x.refuses(restart, fs.ErrExist)
		x.refuses(op, fs.ErrExist)
		x.do(use.Inverse())
	}
	x.do(op)
	x.refuses(restart, fs.ErrExist)
	x.do(op.Inverse())
}
