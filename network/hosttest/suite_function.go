// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"testing"

	"github.com/go-virtnet/virtnet/network/host"
)

// RunFunctions runs the tests of facts about network cards with virtual functions, and no others.
func (s Suite) RunFunctions(t *testing.T) { s.testFunctions(t) }

// testFunctions tests what is told of a card with virtual functions.
func (s Suite) testFunctions(t *testing.T) {
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
		if len(one.Functions) != 1 || one.Functions[0] != fn || one.Link(fn.Link) == nil {
			t.Errorf("by its place, %s is:\n%s", fn, one)
		}
	}
	both := x.look(host.Scope{Functions: []string{pf}, PCI: []host.PCI{f.Functions[0].PCI}})
	x.equal("when asked for in two ways", both, f)
}
