// SPDX-License-Identifier: Apache-2.0

package hostdev

import (
	"fmt"
	"slices"
	"strings"
)

// A Pool is the devices that a network hands out, in the order of their list, each with the number of its users. To
// choose one takes the same time whatever the number of devices, and to change one grows with its logarithm.
//
// A device may be closed to everybody, or to those who want it for themselves; a reason says why. A Pool is not for
// several goroutines at once. Use [NewPool].
type Pool struct {
	devices []Device
	index   map[Device]int
	states  []state
	// least leads to the device with the fewest users, free to the first that has none.
	least, free tree
}

// A state is what a pool knows of one device.
type state struct {
	users int
	// closed is why nobody gets it, shared why nobody gets it alone; nil where that is not so.
	closed, shared fmt.Stringer
}

// A Reason is why a device is not handed out, in words that follow its name: "is in use by the host".
type Reason string

// String returns the words.
func (r Reason) String() string { return string(r) }

// NewPool returns the pool of these devices, none of them used. One that is given twice is there once.
func NewPool(devices ...Device) *Pool {
	p := &Pool{index: make(map[Device]int, len(devices))}
	for _, d := range devices {
		if _, twice := p.index[d]; !twice {
			p.index[d] = len(p.devices)
			p.devices = append(p.devices, d)
		}
	}
	p.states = make([]state, len(p.devices))
	p.least, p.free = newTree(len(p.devices)), newTree(len(p.devices))
	return p
}

// Len returns the number of devices.
func (p *Pool) Len() int { return len(p.devices) }

// Devices returns the devices in their order.
func (p *Pool) Devices() []Device { return slices.Clone(p.devices) }

// Has reports whether d is in the pool.
func (p *Pool) Has(d Device) bool { _, ok := p.index[d]; return ok }

// Users returns how many users d has; none if it is not in the pool.
func (p *Pool) Users(d Device) int {
	if i, ok := p.index[d]; ok {
		return p.states[i].users
	}
	return 0
}

// Least returns the device with the fewest users, of several the first; false if every device is closed.
func (p *Pool) Least() (Device, bool) { return p.at(p.least.winner()) }

// Free returns the first device that has no users and is closed to nobody; false if there is none.
func (p *Pool) Free() (Device, bool) { return p.at(p.free.winner()) }

func (p *Pool) at(i int) (Device, bool) {
	if i < 0 {
		return Device{}, false
	}
	return p.devices[i], true
}

// Take counts one more user of d. It takes no notice of reasons: who holds a device is counted. It reports whether d is
// in the pool.
func (p *Pool) Take(d Device) bool { return p.change(d, func(s *state) { s.users++ }) }

// Give counts one user of d less, but never less than none. It reports whether d is in the pool.
func (p *Pool) Give(d Device) bool {
	return p.change(d, func(s *state) { s.users = max(s.users-1, 0) })
}

// Close keeps everybody from d, for a reason; nil opens it again. It reports whether d is in the pool.
func (p *Pool) Close(d Device, why fmt.Stringer) bool {
	return p.change(d, func(s *state) { s.closed = why })
}

// Share keeps those from d who want it for themselves, for a reason; nil lets them have it again. It reports whether d is
// in the pool.
func (p *Pool) Share(d Device, why fmt.Stringer) bool {
	return p.change(d, func(s *state) { s.shared = why })
}

// Obstacle says why d cannot be had, alone or shared with others; nil if it can.
func (p *Pool) Obstacle(d Device, alone bool) fmt.Stringer {
	i, ok := p.index[d]
	if !ok {
		return Reason("is not in the pool")
	}
	switch s := &p.states[i]; {
	case s.closed != nil:
		return s.closed
	case alone && s.shared != nil:
		return s.shared
	case alone && s.users > 0:
		return Reason(fmt.Sprintf("has users: %d", s.users))
	}
	return nil
}

// told is how many devices an explanation tells of.
const told = 8

// Obstacles says of the devices that cannot be had why not, in their order: of a long list the first few, and how many
// there are besides. It is empty if all can be had. Devices are called by call, such as [Device.String].
func (p *Pool) Obstacles(alone bool, call func(Device) string) string {
	var says []string
	more := 0
	for _, d := range p.devices {
		why := p.Obstacle(d, alone)
		switch {
		case why == nil:
		case len(says) < told:
			says = append(says, call(d)+" "+why.String())
		default:
			more++
		}
	}
	if more > 0 {
		says = append(says, fmt.Sprintf("and so on for %d more", more))
	}
	return strings.Join(says, "; ")
}

// change changes what is known of d.
func (p *Pool) change(d Device, f func(*state)) bool {
	i, ok := p.index[d]
	if !ok {
		return false
	}
	s := &p.states[i]
	f(s)
	p.least.set(i, s.closed == nil, func(a, b int32) bool { return p.states[a].users <= p.states[b].users })
	p.free.set(i, s.closed == nil && s.shared == nil && s.users == 0, func(int32, int32) bool { return true })
	return true
}
