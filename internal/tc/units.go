// SPDX-License-Identifier: Apache-2.0

package tc

import (
	"fmt"
	"math"
	"math/bits"
)

// A Handle names a queueing discipline (its lower half is 0) or a class, in the words of tc MAJOR:MINOR.
type Handle uint32

// MakeHandle puts the two halves together.
func MakeHandle(major, minor uint16) Handle { return Handle(major)<<16 | Handle(minor) }

// Major and Minor are the halves.
func (h Handle) Major() uint16 { return uint16(h >> 16) }

// Minor is the lower half.
func (h Handle) Minor() uint16 { return uint16(h) }

// String is the handle in hexadecimal, as tc prints it.
func (h Handle) String() string {
	if h.Minor() == 0 {
		return fmt.Sprintf("%x:", h.Major())
	}
	return fmt.Sprintf("%x:%x", h.Major(), h.Minor())
}

// The places of a link that are not within a queueing discipline of ours.
const (
	Root    Handle = 0xffffffff
	Clsact  Handle = 0xfffffff1
	Ingress Handle = 0xfffffff2 // the filters of a clsact on what comes in
	Egress  Handle = 0xfffffff3 // and on what goes out
)

// tick is the kernel's unit of time in nanoseconds.
const tick = 64

// Ticks is how long bytes take at a rate in bytes per second, in the kernel's unit: at least 1, and no more than 32 bits
// hold.
func Ticks(bytes, rate uint64) uint32 {
	if rate == 0 {
		return math.MaxUint32
	}
	high, low := bits.Mul64(bytes, 1e9/tick)
	low, carry := bits.Add64(low, rate/2, 0)
	high += carry
	if high >= rate {
		return math.MaxUint32
	}
	ticks, _ := bits.Div64(high, low, rate)
	return uint32(min(max(ticks, 1), math.MaxUint32))
}

// Bytes is how many bytes pass in some time at a rate.
func Bytes(ticks uint32, rate uint64) uint64 {
	high, low := bits.Mul64(uint64(ticks)*tick, rate)
	low, carry := bits.Add64(low, 5e8, 0)
	high += carry
	if high >= 1e9 {
		return math.MaxUint64
	}
	bytes, _ := bits.Div64(high, low, 1e9)
	return bytes
}
