// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/go-virtnet/virtnet/network/host"
)

// testJoiner does together what makes a link and what becomes of it: that is all or nothing, and the same as one by one.
func (s Suite) testJoiner(t *testing.T) {
	silent := func(link string) host.Op {
		return host.SetSysctl{Key: "net/ipv6/conf/" + link + "/disable_ipv6", Value: "1", Was: "0"}
	}
	for name, c := range map[string]struct{ before, ops []host.Op }{
		"tap":         {[]host.Op{br0}, []host.Op{tap0, silent("tap0"), plug("tap0", "br0"), up("tap0")}},
		"veth":        {[]host.Op{br0}, []host.Op{veth, silent("veth0"), plug("veth0", "br0"), up("veth0")}},
		"macvtap":     {[]host.Op{br0, tap0}, []host.Op{mv0, silent("mv0"), up("mv0")}},
		"with IPv6":   {[]host.Op{br0}, []host.Op{tap0, plug("tap0", "br0"), up("tap0")}},
		"another":     {[]host.Op{br0, tap1}, []host.Op{tap0, silent("tap1"), up("tap1")}},
		"isolated":    {[]host.Op{br0}, []host.Op{tap0, host.Plug{Link: "tap0", Bridge: "br0", Isolated: true}}},
		"of no kind":  {[]host.Op{br0, tap1}, []host.Op{br1, up("br1")}},
		"only a link": {nil, []host.Op{tap0}},
	} {
		t.Run(name, func(t *testing.T) {
			x := s.open(t, append(c.before, c.ops...)...)
			joiner, ok := x.backend.(host.Joiner)
			if !ok {
				t.Skip("the backend is no Joiner")
			}
			x.do(c.before...)
			ops := make([]host.Op, len(c.ops))
			for i, op := range c.ops {
				ops[i] = x.here(op)
			}
			x.joinsNothing(joiner, ops)
			before := x.facts()
			done, err := joiner.DoTogether(t.Context(), ops)
			if err != nil || done > len(ops) {
				t.Fatalf("%d operations together: %v", done, err)
			}
			if missing := planOf(ops[:done]).Missing(x.look(planOf(ops).Scope())); len(missing) > 0 {
				t.Errorf("after %d operations there is still to do:\n%s", done, missing)
			}
			x.do(c.ops[done:]...)
			x.do(c.ops[0].Inverse())
			for _, op := range c.ops[1:] {
				if op == up("tap1") || op == silent("tap1") {
					x.do(op.Inverse())
				}
			}
			x.same("taken back", before)
		})
	}
}

// joinsNothing has operations fail: for the link that is there, for a bridge that is not, and for an end before the beginning.
func (x *bench) joinsNothing(joiner host.Joiner, ops []host.Op) {
	x.t.Helper()
	for i, op := range ops {
		o, ok := op.(host.Plug)
		if !ok {
			continue
		}
		bad := append([]host.Op{}, ops...)
		o.Bridge = "br9"
		bad[i] = o
		before := x.facts()
		if done, err := joiner.DoTogether(x.t.Context(), bad); done > i || err != nil && !errors.Is(err, fs.ErrNotExist) {
			x.t.Errorf("%d operations for a bridge that is not there: %v", done, err)
		} else if done == 0 {
			x.same("for a bridge that is not there", before)
		} else {
			x.do(ops[0].Inverse())
		}
	}
	x.do(ops[0])
	before := x.facts()
	if done, err := joiner.DoTogether(x.t.Context(), ops); done != 0 || err != nil && !errors.Is(err, fs.ErrExist) {
		x.t.Errorf("%d operations for a link that is there: %v", done, err)
	}
	x.same("for a link that is there", before)
	x.do(ops[0].Inverse())
}
