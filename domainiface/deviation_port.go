// SPDX-License-Identifier: Apache-2.0

package domainiface

import "github.com/go-virtnet/virtnet/network/schema"

// Where interfaces meet networks in another way than in libvirt 11.3.
const (
	// EarlyIdentity corrects that the identities of a profile on a network are made up when the interface is defined, so that
	// a network with its own can never be used: they are made up when it is attached and nobody gave them.
	EarlyIdentity schema.Deviation = "virtualport-identity-early"
	// PluggedMTU corrects that a hypervisor which cannot set the MTU of a macvtap device is not asked when it is a network
	// that gives one: it is refused there too.
	PluggedMTU schema.Deviation = "attach-mtu"
	// PluggedCoalesce corrects that a hypervisor which cannot gather the packets of a macvtap device is not asked when it is a
	// network that gives one: it is refused there too.
	PluggedCoalesce schema.Deviation = "attach-coalesce"
)
