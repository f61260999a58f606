// SPDX-License-Identifier: Apache-2.0

package domainiface

import "github.com/go-virtnet/virtnet/network/schema"

// A Hypervisor says what the program that runs the guests cannot do, for [Interface.ValidateOn]. The zero
// Hypervisor can do everything. An interface is judged by what its network gave it, where that is known.
type Hypervisor struct {
	GuestIP    *Limit // an <ip> of the guest
	GuestRoute *Limit // a <route> of the guest
	MTU        *Limit // an <mtu>
	Coalesce   *Limit // a <coalesce>
	Queues     *Limit // more than one queue
	FilterRef  *Limit // a <filterref>; none of these takes one next to a <virtualport> with a type
	BackendTap *Limit // another device file than /dev/net/tun
	Transient  *Limit // a <teaming> of type transient

	VirtioTeaming bool   // a <teaming> of type persistent takes a model of the virtio family
	RingPowers    bool   // the sizes of queues are powers of two
	VirtioOnly    []Type // types that take models of the virtio family only
}

// A Limit says which interfaces can have something. A nil Limit is all, the zero Limit none.
type Limit struct {
	Types []Type // those of these types
	Passt []Type // those of these types with the backend passt
}

// QEMU returns what libvirt 11.3 refuses for QEMU.
func QEMU() Hypervisor {
	taps := []Type{Network, Bridge, Ethernet}
	return Hypervisor{
		GuestIP:       &Limit{Types: []Type{User}, Passt: []Type{VhostUser}},
		GuestRoute:    &Limit{},
		MTU:           &Limit{Types: []Type{Network, Bridge, Ethernet, VhostUser}, Passt: []Type{User}},
		Coalesce:      &Limit{Types: []Type{Network, Bridge}},
		Queues:        &Limit{Types: []Type{Network, Bridge, Direct, Ethernet, VhostUser, VDPA}},
		FilterRef:     &Limit{Types: taps},
		BackendTap:    &Limit{Types: taps},
		Transient:     &Limit{Types: []Type{Hostdev, Network}},
		VirtioTeaming: true,
		RingPowers:    true,
		VirtioOnly:    []Type{VDPA, VhostUser},
	}
}

// ValidateOn checks i against the rules chosen and those of the hypervisor.
func (i *Interface) ValidateOn(h Hypervisor, rules schema.Rules) error {
	c := schema.NewCheck("interface", rules)
	i.check(c)
	h.check(c, i)
	return c.Err(i.Origin)
}
