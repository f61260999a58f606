// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"math/bits"

	"github.com/go-virtnet/virtnet/qos"
)

// The traffic classes of a network's bridge: classes 1 and 2 are those of all guests and of the guests without a floor.
const (
	firstClass = 3
	lastClass  = 0xffff
)

// floors are the bandwidths that the ports of one network are guaranteed, and their traffic classes.
type floors struct {
	// high and low are the sum, in kB/s, of 128 bits: what records say may be anything.
	high, low uint64
	// used has a bit for each class that some port has; none below from is free.
	used []uint64
	from uint64
	// more counts what has no bit: classes beyond the last, and further ports of one class, if records say so.
	more map[uint64]int
}

func (f *floors) add(class, floor uint64) {
	var carry uint64
	f.low, carry = bits.Add64(f.low, floor, 0)
	f.high += carry
	if class > lastClass || f.has(class) {
		if f.more == nil {
			f.more = map[uint64]int{}
		}
		f.more[class]++
		return
	}
	for uint64(len(f.used)) <= class/64 {
		f.used = append(f.used, 0)
	}
	f.used[class/64] |= 1 << (class % 64)
}

// remove is the inverse of add.
func (f *floors) remove(class, floor uint64) {
	var borrow uint64
	f.low, borrow = bits.Sub64(f.low, floor, 0)
	f.high -= borrow
	if f.more[class] > 0 {
		f.more[class]--
		return
	}
	f.used[class/64] &^= 1 << (class % 64)
	f.from = min(f.from, class)
}

// has reports whether a port has the class.
func (f *floors) has(class uint64) bool {
	bit := class/64 < uint64(len(f.used)) && f.used[class/64]&(1<<(class%64)) != 0
	return bit || f.more[class] > 0
}

// next returns the lowest class that is free: FP-1. Beyond lastClass there is none in the kernel.
func (f *floors) next() uint64 {
	f.from = max(f.from, firstClass)
	for f.from <= lastClass && f.has(f.from) {
		f.from++
	}
	class := f.from
	for f.has(class) {
		class++
	}
	return class
}

// exceeds reports whether the sum is more than most once a port with the floor was has the floor wants.
func (f *floors) exceeds(was, wants, most uint64) bool {
	low, borrow := bits.Sub64(f.low, was, 0)
	high := f.high - borrow
	low, carry := bits.Add64(low, wants, 0)
	return high+carry > 0 || low > most
}

// ceiling is what all guests of a network can receive together, in kB/s, and the name of the attribute that says so; ""
// if nothing does.
func ceiling(n *Network) (rate uint64, attr string) {
	switch in := inbound(n.Bandwidth); {
	case in == nil:
		return 0, ""
	case in.Peak.Uint() > 0:
		return in.Peak.Uint(), "peak"
	default:
		return in.Average.Uint(), "average"
	}
}

func inbound(b *qos.Bandwidth) *qos.Rate {
	if b == nil {
		return nil
	}
	return b.Inbound
}

const floorPath = "/networkport/bandwidth/inbound/@floor"

// admit says whether a network can guarantee a floor to a port that had another so far: FL-1 to FL-6.
func (t *portTable) admit(live *Network, was, wants uint64) error {
	n := t.network(live.Name)
	most, attr := ceiling(live)
	switch {
	case wants > 0 && !live.Managed():
		return fail(errors.ErrUnsupported, "%s: network %q is of mode %s, a floor needs one of none, nat, route and open", floorPath, live.Name, live.Mode())
	case wants > 0 && attr == "":
		return fail(errors.ErrUnsupported, "%s: network %q has no <inbound> in its <bandwidth> that the floor could be a part of", floorPath, live.Name)
	case attr == "" || wants == 0 && was == 0:
		return nil
	case n.floors.exceeds(was, wants, most):
		left := uint64(0)
		if low, borrow := bits.Sub64(n.floors.low, was, 0); borrow == 0 && n.floors.high == 0 && low < most {
			left = most - low
		}
		return fail(ErrFull, "%s: %d kB/s is more than the %d that are left of the %s of network %q, %d kB/s", floorPath, wants, left, attr, live.Name, most)
	}
	return nil
}

// class is the traffic class in which a port is guaranteed something; 0 is none.
func (p *Port) class() uint64 {
	if p.floor() == 0 || p.Bandwidth == nil || !p.Bandwidth.ClassID.Given() {
		return 0
	}
	return p.Bandwidth.ClassID.Uint()
}

// leave keeps a class from others that a port had on a network which it is moved away from: the host still has it.
func (t *portTable) leave(port portKey, class uint64) {
	if class != 0 {
		t.leaving[port] = class
		t.network(port.network).floors.add(class, 0)
	}
}

// left is the end of leave.
func (t *portTable) left(port portKey) {
	if class, ok := t.leaving[port]; ok {
		delete(t.leaving, port)
		t.network(port.network).floors.remove(class, 0)
	}
}

// newClass returns a traffic class for a port: the one that it had, if that is free, and else the lowest.
func (t *portTable) newClass(live *Network, had uint64) (uint64, error) {
	f := &t.network(live.Name).floors
	if had >= firstClass && had <= lastClass && !f.has(had) {
		return had, nil
	}
	class := f.next()
	if class > lastClass && !t.rules.Skips(ClassLimit) {
		return 0, fail(ErrFull, "%s: network %q has no traffic class left, all of %d to %d are in use", floorPath, live.Name, firstClass, lastClass)
	}
	return class, nil
}
