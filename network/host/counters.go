// SPDX-License-Identifier: Apache-2.0

package host

import "context"

// Counters is what has passed the device of a guest, as the guest sees it.
type Counters struct {
	Received, Sent Traffic
}

// Swapped is the same seen from the other end of the device.
func (c Counters) Swapped() Counters { return Counters{Received: c.Sent, Sent: c.Received} }

// A Traffic is what has passed in one direction. What is not counted is 0.
type Traffic struct {
	Packets, Bytes, Dropped, Errors uint64
}

// A CounterReader reads what has passed the devices of guests.
type CounterReader interface {
	// Counters returns what has passed the device that made has made, since then and as its guest sees it: what a tap of the
	// host receives its guest has sent, but a macvtap device sends what its guest sends. Made is an AddTap, AddVeth,
	// AddMacvtap, AddMacvlan, or an AddOVSPort, whose switch tells how it was some seconds ago; others are
	// errors.ErrUnsupported. A device that is missing wraps fs.ErrNotExist, a machine without Open vSwitch
	// errors.ErrUnsupported.
	Counters(ctx context.Context, made Op) (Counters, error)
}
