// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"errors"
	"io/fs"
	"slices"
	"testing"

	"github.com/go-virtnet/virtnet/network/host"
)

// The shapes and classes that the cases are about. Every machine that shapes has this queue and these means.
var (
	shape0 = host.Shape{
		Link: "br0", Egress: host.NewLimit(1000, 5000, 1024), Ingress: host.NewLimit(128, 256, 256),
		Queue: host.BFIFO, Means: host.Redirect,
	}
	shape1 = host.Shape{Link: "br0", Egress: host.NewLimit(2000, 0, 0), Queue: host.BFIFO}
	shape2 = host.Shape{Link: "br0", Ingress: host.NewLimit(12_500_000, 25_000_000, 4096), Queue: host.BFIFO, Means: host.Redirect}
	class3 = host.Class{Link: "br0", ID: 3, MAC: host.MAC{0x52, 0x54, 0, 0, 0, 3}, Rate: 200}
	class4 = host.Class{Link: "br0", ID: 0xfffe, MAC: host.MAC{0x52, 0x54, 0, 0, 1, 3}, Rate: 300}
)

func setShape(shape, was host.Shape) host.SetShape {
	return host.SetShape{Link: "br0", Shape: shape, Was: was}
}

func shapeCases() []opCase {
	add := host.AddClass(class3)
	faster := host.SetClass{Class: class3, Was: class3}
	faster.Class.Rate = 4000
	moved := host.SetClass{Class: class3, Was: class3}
	moved.Class.MAC[5] = 0x77
	byBPF := host.SetClass{Class: class3, Was: class3}
	byBPF.Class.BPF = true
	elsewhere := func(s host.Shape) host.Shape { s.Link = "br9"; return s }
	return []opCase{{
		name:    "SetShape",
		before:  []host.Op{br0},
		op:      setShape(shape0, host.Shape{}),
		changes: "+shape br0 egress rate 1000kbps ceil 5000kbps burst 1024kb ingress rate 128kbps ceil 256kbps burst 256kb by ifb queue bfifo\n",
		bad: []host.Op{
			host.SetShape{Link: "br0"},
			setShape(elsewhere(shape0), host.Shape{}),
			with(setShape(shape0, host.Shape{}), func(o *host.SetShape) { o.Shape.Egress.Rate = 0 }),
			with(setShape(shape0, host.Shape{}), func(o *host.SetShape) { o.Shape.Egress.Ceil = 1 }),
			with(setShape(shape0, host.Shape{}), func(o *host.SetShape) { o.Shape.Ingress.Burst = host.MaxBurst }),
			with(setShape(shape0, host.Shape{}), func(o *host.SetShape) { o.Shape.Means = host.Police }),
			with(setShape(shape0, host.Shape{}), func(o *host.SetShape) { o.Shape.Queue = "pfifo_fast" }),
			setShape(filtered(shape1), host.Shape{}),
			with(setShape(shape0, host.Shape{}), func(o *host.SetShape) { o.Shape.Other = "x" }),
		},
		dangling: []host.Op{host.SetShape{Link: "br9", Shape: elsewhere(shape0)}, setShape(shape0, shape1)},
		foreign:  [][]host.Op{{br0}, {br0, setShape(shape1, host.Shape{})}},
	}, {
		name:    "SetShape of what is sent",
		before:  []host.Op{tap0},
		op:      host.SetShape{Link: "tap0", Shape: host.Shape{Link: "tap0", Egress: host.NewLimit(8, 0, 0), Queue: host.BFIFO}},
		changes: "+shape tap0 egress rate 8kbps ceil 8kbps burst 2kb queue bfifo\n",
	}, {
		name:    "SetShape of what is received",
		before:  []host.Op{tap0, up("tap0")},
		op:      host.SetShape{Link: "tap0", Shape: with0(shape2, "tap0")},
		changes: "+shape tap0 ingress rate 12500000kbps ceil 25000000kbps burst 4096kb by ifb queue bfifo\n",
	}, {
		name:       "SetShape with another filter",
		before:     []host.Op{br0, setShape(shape0, host.Shape{})},
		op:         setShape(filtered(shape0), shape0),
		changes:    "-shape " + shape0.String() + "\n+shape " + filtered(shape0).String() + "\n",
		repeatable: true,
	}, {
		name:       "SetShape in place of another",
		before:     []host.Op{br0, setShape(shape0, host.Shape{})},
		op:         setShape(shape1, shape0),
		changes:    "-shape " + shape0.String() + "\n+shape " + shape1.String() + "\n",
		repeatable: true,
	}, {
		name:       "SetShape in place of that of the other direction",
		before:     []host.Op{br0, setShape(shape1, host.Shape{})},
		op:         setShape(shape2, shape1),
		changes:    "-shape " + shape1.String() + "\n+shape " + shape2.String() + "\n",
		repeatable: true,
	}, {
		name:       "SetShape with other numbers",
		before:     []host.Op{br0, setShape(shape0, host.Shape{}), add},
		op:         setShape(other(shape0), shape0),
		changes:    "-shape " + shape0.String() + "\n+shape " + other(shape0).String() + "\n",
		repeatable: true,
	}, {
		name:    "AddClass",
		before:  []host.Op{br0, setShape(shape0, host.Shape{})},
		op:      add,
		changes: "+class dev br0 classid 1:3 rate 200kbps dst 52:54:00:00:00:03\n",
		bad: []host.Op{
			with(add, func(o *host.AddClass) { o.ID = 2 }),
			with(add, func(o *host.AddClass) { o.MAC = host.MAC{} }),
			with(add, func(o *host.AddClass) { o.Rate = 0 }),
			with(add, func(o *host.AddClass) { o.Link = "" }),
		},
		dangling: []host.Op{with(add, func(o *host.AddClass) { o.Link = "br9" })},
		foreign: [][]host.Op{
			{br0},
			{br0, setShape(shape0, host.Shape{}), with(add, func(o *host.AddClass) { o.ID = 4 })},
			{br0, setShape(shape0, host.Shape{}), with(add, func(o *host.AddClass) { o.MAC[5] = 9 })},
		},
	}, {
		name:    "AddClass by bpf",
		before:  []host.Op{br0, setShape(shape0, host.Shape{}), host.AddClass(class4)},
		op:      host.AddClass(byBPF.Class),
		changes: "+class dev br0 classid 1:3 rate 200kbps dst 52:54:00:00:00:03 match bpf\n",
	}, {
		name:       "SetClass to bpf",
		before:     []host.Op{br0, setShape(shape0, host.Shape{}), add},
		op:         byBPF,
		changes:    "-class " + class3.String() + "\n+class " + byBPF.Class.String() + "\n",
		repeatable: true,
	}, {
		name:       "SetClass",
		before:     []host.Op{br0, setShape(shape0, host.Shape{}), add, host.AddClass(class4)},
		op:         faster,
		changes:    "-class " + class3.String() + "\n+class " + faster.Class.String() + "\n",
		repeatable: true,
		bad: []host.Op{
			host.SetClass{Class: class3, Was: class4},
			with(faster, func(o *host.SetClass) { o.Class.Rate = 0 }),
		},
		dangling: []host.Op{with(faster, func(o *host.SetClass) { o.Was.MAC[5], o.Class.MAC[5] = 9, 9 })},
	}, {
		name:       "SetClass for another station",
		before:     []host.Op{br0, setShape(shape1, host.Shape{}), add},
		op:         moved,
		changes:    "-class " + class3.String() + "\n+class " + moved.Class.String() + "\n",
		repeatable: true,
	}}
}

// with0 is a shape of another link.
func with0(s host.Shape, link string) host.Shape { s.Link = link; return s }

// filtered is a shape whose filter is of kind bpf.
func filtered(s host.Shape) host.Shape { s.BPF = true; return s }

// other is a shape with other numbers.
func other(s host.Shape) host.Shape {
	s.Egress, s.Ingress = host.NewLimit(500, 600, 7), host.NewLimit(5_000_000, 0, 0)
	return s
}

// shapeEffects are what becomes of shapes, and which are refused.
func shapeEffects() []effect {
	shaped := []host.Op{br0, setShape(shape0, host.Shape{}), host.AddClass(class3), host.AddClass(class4)}
	on := func(s host.Shape) []host.Op { return append(slices.Clone(shaped[:1]), setShape(s, host.Shape{})) }
	tooMuch := class3
	tooMuch.Rate = 4701
	most := tooMuch
	most.Rate--
	return []effect{{
		name:   "a link takes its shape and classes along",
		before: shaped,
		op:     br0.Inverse(),
		changes: `-link br0 type bridge mac 52:54:00:00:00:01 mtu 1500 stp off delay 0 owner "virtnet 1"
-shape br0 egress rate 1000kbps ceil 5000kbps burst 1024kb ingress rate 128kbps ceil 256kbps burst 256kb by ifb queue bfifo
-class dev br0 classid 1:3 rate 200kbps dst 52:54:00:00:00:03
-class dev br0 classid 1:fffe rate 300kbps dst 52:54:00:00:01:03
`,
	}, {
		name: "a shape stays while it holds classes", before: shaped, op: setShape(host.Shape{}, shape0), err: fs.ErrInvalid,
	}, {
		name: "what is sent stays shaped while it holds classes", before: shaped, op: setShape(shape2, shape0), err: fs.ErrInvalid,
	}, {
		name: "a shape is not made too narrow for its classes", before: shaped,
		op: setShape(host.Shape{Link: "br0", Egress: host.NewLimit(499, 0, 0), Queue: host.BFIFO}, shape0), err: fs.ErrInvalid,
	}, {
		name: "a shape may be as narrow as its classes", before: shaped,
		op:      setShape(host.Shape{Link: "br0", Egress: host.NewLimit(500, 0, 0), Queue: host.BFIFO}, shape0),
		changes: "-shape " + shape0.String() + "\n+shape br0 egress rate 500kbps ceil 500kbps burst 4kb queue bfifo\n",
	}, {
		name: "no class where only the other direction is shaped", before: on(shape2), op: host.AddClass(class3), err: fs.ErrNotExist,
	}, {
		name: "a number is taken once", before: shaped,
		op: host.AddClass(host.Class{Link: "br0", ID: 3, MAC: host.MAC{2}, Rate: 1}), err: fs.ErrExist,
	}, {
		name: "a station is in one class", before: shaped,
		op: host.AddClass(host.Class{Link: "br0", ID: 5, MAC: class3.MAC, Rate: 1}), err: fs.ErrExist,
	}, {
		name: "a station is in one class, also when it changes", before: shaped,
		op: host.SetClass{Class: host.Class{Link: "br0", ID: 3, MAC: class4.MAC, Rate: 1}, Was: class3}, err: fs.ErrExist,
	}, {
		name: "no more is guaranteed than may pass", before: shaped, op: host.SetClass{Class: tooMuch, Was: class3}, err: fs.ErrInvalid,
	}, {
		name: "all that may pass can be guaranteed", before: shaped, op: host.SetClass{Class: most, Was: class3},
		changes: "-class " + class3.String() + "\n+class " + most.String() + "\n",
	}, {
		name: "no more is guaranteed to a new class than may pass", before: on(shape1),
		op: host.AddClass(host.Class{Link: "br0", ID: 3, MAC: class3.MAC, Rate: 2001}), err: fs.ErrInvalid,
	}, {
		name: "a shape is not taken for another", before: on(shape0), op: setShape(shape2, shape1), err: fs.ErrNotExist,
	}}
}

// testShaping shapes with everything that the machine says it has, and with what it has not.
func (s Suite) testShaping(t *testing.T) {
	x := s.open(t, br0, setShape(shape0, host.Shape{}))
	can := x.look(host.Scope{Shaping: true}).Shaping
	if !slices.Contains(can.Queues, host.BFIFO) || !slices.Contains(can.Means, host.Redirect) {
		t.Errorf("the machine says that it can shape by %s", can)
	}
	if all := x.look(host.Scope{All: true}).Shaping; all.Queues != nil || all.Means != nil {
		t.Errorf("the machine says what it was not asked for: %s", all)
	}
	x.do(br0)
	thereAndBack := func(op host.SetShape) {
		before := x.facts()
		x.do(op)
		if f := x.facts(); !op.Holds(f) {
			t.Errorf("%s does not hold after it is done:\n%s", op, f)
		}
		x.do(op.Inverse())
		x.same("after "+op.Inverse().String(), before)
	}
	everything, last := everything(), host.Shape{}
	for i, queue := range everything.Queues {
		for _, means := range everything.Means {
			shape := host.Shape{Link: "br0", Egress: host.NewLimit(1000, 5000, 1024), Ingress: host.NewLimit(128, 0, 256), Queue: queue, Means: means}
			shape.BPF = means != host.Throttle && (can.NoU32 || i > 0) // both, where there are both
			if !slices.Contains(can.Queues, queue) || !slices.Contains(can.Means, means) {
				x.refuses(setShape(shape, host.Shape{}), errors.ErrUnsupported)
				continue
			}
			thereAndBack(setShape(shape, host.Shape{}))
			if !last.IsZero() {
				x.do(setShape(last, host.Shape{}))
				thereAndBack(setShape(shape, last))
				x.do(setShape(host.Shape{}, last))
			}
			last = shape
		}
	}
}
