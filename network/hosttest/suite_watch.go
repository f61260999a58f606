// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/go-virtnet/virtnet/network/host"
)

// A watching is a watch under test.
type watching struct {
	*bench
	next func() (host.Change, error, bool)
}

// watch begins to watch. The watch ends by itself when the change that is waited for does not come.
func (x *bench) watch(w host.Watcher) watching {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	x.t.Cleanup(cancel)
	next, stop := iter.Pull2(w.Watch(ctx))
	x.t.Cleanup(stop)
	if c, err, ok := next(); !ok || err != nil || c != (host.Change{Kind: host.Anything}) {
		x.t.Fatalf("the watch begins with %q, error %v", c, err)
	}
	return watching{x, next}
}

// until reads changes up to one of that kind and name. One whose name is not known counts where names are not known.
func (w watching) until(when string, want host.Change) {
	w.t.Helper()
	for {
		c, err, ok := w.next()
		if !ok || err != nil {
			w.t.Fatalf("%s: the watch ended before it told %q, error %v", when, want, err)
		}
		if c == want || c.Kind == want.Kind && c.Name == "" && want.Kind == host.FilterChanged {
			return
		}
	}
}

// tells does an operation, wants to be told, and then reads on up to the traces of a link that comes and goes, so that
// later changes are those of later operations.
func (w watching) tells(op host.Op, want host.Change) {
	w.t.Helper()
	w.do(op)
	w.until(op.String(), want)
	mark := host.AddBridge{Link: "mark0", MAC: host.MAC{0x52, 0x54, 0, 0, 0, 9}}
	w.do(mark, mark.Inverse())
	w.until("marker", host.Change{Kind: host.LinkRemoved, Name: "mark0"})
}

func (s Suite) testWatcher(t *testing.T) {
	filter := host.SetFilter{Network: "n1", Filter: filter1}
	class := host.AddClass(class3)
	for _, c := range []struct {
		name   string
		before []host.Op
		op     host.Op
		want   host.Change
	}{
		{"new link", nil, br0, host.Change{Kind: host.LinkAdded, Name: "br0"}},
		{"link gone", []host.Op{br0}, br0.Inverse(), host.Change{Kind: host.LinkRemoved, Name: "br0"}},
		{"link up", []host.Op{br0}, up("br0"), host.Change{Kind: host.LinkChanged, Name: "br0"}},
		{"mtu", []host.Op{tap0}, host.SetMTU{Link: "tap0", MTU: 1400, Was: 1500}, host.Change{Kind: host.LinkChanged, Name: "tap0"}},
		{"plug", []host.Op{br0, tap0}, plug("tap0", "br0"), host.Change{Kind: host.LinkChanged, Name: "tap0"}},
		{"unplug", []host.Op{br0, tap0, plug("tap0", "br0")}, plug("tap0", "br0").Inverse(), host.Change{Kind: host.LinkChanged, Name: "tap0"}},
		{"address", []host.Op{br0}, gateway4, host.Change{Kind: host.LinkChanged, Name: "br0"}},
		{"address gone", []host.Op{br0, gateway6}, gateway6.Inverse(), host.Change{Kind: host.LinkChanged, Name: "br0"}},
		{"route", []host.Op{br0, gateway4, up("br0")}, route4, host.Change{Kind: host.RouteChanged, Name: "br0"}},
		{"route gone", []host.Op{br0, gateway6, up("br0"), route6}, route6.Inverse(), host.Change{Kind: host.RouteChanged, Name: "br0"}},
		{"forwarding", nil, host.EnableForwarding{}, host.Change{Kind: host.ForwardingChanged}},
		{"forwarding of IPv6", nil, host.EnableForwarding{IPv6: true}, host.Change{Kind: host.ForwardingChanged}},
		{"filter", []host.Op{br0}, filter, host.Change{Kind: host.FilterChanged, Name: "n1"}},
		{"another filter", []host.Op{br0, filter}, host.SetFilter{Network: "n1", Filter: filter2, Was: filter1}, host.Change{Kind: host.FilterChanged, Name: "n1"}},
		{"filter gone", []host.Op{br0, filter}, filter.Inverse(), host.Change{Kind: host.FilterChanged, Name: "n1"}},
		{"zone", nil, zone0, host.Change{Kind: host.ZonesChanged}},
		{"zone left", []host.Op{zone0}, zone0.Inverse(), host.Change{Kind: host.ZonesChanged}},
		{"resolver", []host.Op{br0}, register0, host.Change{Kind: host.ResolverChanged}},
		{"shape", []host.Op{br0}, setShape(shape0, host.Shape{}), host.Change{Kind: host.ShapeChanged, Name: "br0"}},
		{"class", []host.Op{br0, setShape(shape0, host.Shape{})}, class, host.Change{Kind: host.ShapeChanged, Name: "br0"}},
		{"port of a switch", []host.Op{tap0}, host.AddOVSPort(port0), host.Change{Kind: host.OVSPortChanged, Name: "tap0"}},
		{"changed port of a switch", []host.Op{tap0, host.AddOVSPort(port0)}, host.SetOVSPort{Port: port1, Was: port0}, host.Change{Kind: host.OVSPortChanged, Name: "tap0"}},
		{"port of a switch gone", []host.Op{tap0, host.AddOVSPort(port0)}, host.DelOVSPort(port0), host.Change{Kind: host.OVSPortChanged, Name: "tap0"}},
		{"server", []host.Op{br0, gateway4, up("br0")}, serve, host.Change{Kind: host.ServerStarted, Name: "n1"}},
		{"server gone", []host.Op{br0, gateway4, up("br0"), serve}, serve.Inverse(), host.Change{Kind: host.ServerEnded, Name: "n1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := s.open(t, append(c.before, c.op)...)
			w, ok := x.backend.(host.Watcher)
			if !ok {
				t.Skip("the backend is no Watcher")
			}
			x.do(c.before...)
			x.watch(w).tells(c.op, c.want)
			if c.name == "server" {
				x.do(c.op.Inverse())
			}
		})
	}
	t.Run("two who watch", s.testWatchers)
	t.Run("end", s.testWatchEnds)
}

// testWatchers has two who watch, of whom one goes.
func (s Suite) testWatchers(t *testing.T) {
	x := s.open(t, br0)
	w, ok := x.backend.(host.Watcher)
	if !ok {
		t.Skip("the backend is no Watcher")
	}
	first := x.watch(w)
	x.do(br0)
	for c, err := range w.Watch(t.Context()) {
		if c.Kind != host.Anything || err != nil {
			t.Errorf("the second watch begins with %q, error %v", c, err)
		}
		break
	}
	second := x.watch(w)
	x.do(br0.Inverse())
	for _, w := range []watching{first, second} {
		w.until("both", host.Change{Kind: host.LinkRemoved, Name: "br0"})
	}
}

// testWatchEnds ends a watch that waits.
func (s Suite) testWatchEnds(t *testing.T) {
	x := s.open(t)
	w, ok := x.backend.(host.Watcher)
	if !ok {
		t.Skip("the backend is no Watcher")
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	for c, err := range w.Watch(ctx) {
		if n++; err != nil {
			t.Fatalf("%q, error %v", c, err)
		}
		if n == 1 {
			go cancel()
		}
	}
	if n == 0 {
		t.Error("the watch told nothing")
	}
	for c, err := range w.Watch(ctx) {
		t.Errorf("a watch that has ended begins with %q, error %v", c, err)
	}
}
