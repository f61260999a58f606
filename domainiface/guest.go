// SPDX-License-Identifier: Apache-2.0

package domainiface

import "github.com/go-virtnet/virtnet/network/schema"

// A Guest is who an interface belongs to.
type Guest struct {
	// Name is what the guest is called; it may not be empty.
	Name string
	// UUID may be zero; a guest that has none is told from others by its name.
	UUID schema.UUID `json:",omitzero"`
	// Namespace is the file of the network namespace of a container, such as /proc/123/ns/net. The container gets one
	// end of a pair of virtual Ethernet devices, or on a device of the host a macvlan device; it is called as <guest dev=""/>
	// says, or eth0, and is down. Empty is a virtual machine, which gets a tap or macvtap device.
	Namespace string
	// User and Group may open the tap device besides root; nil means nobody else. A macvtap is opened by [Port.Open] only.
	User, Group *uint32
	// Opens says that this program will open the tap device with [Port.Open]: it is then open from the moment it is made, which is
	// faster, and nobody else can open it before, unless it has several queues. False leaves it to whoever comes, such as a
	// monitor that opens it by its name.
	Opens bool `json:"-"`
}
