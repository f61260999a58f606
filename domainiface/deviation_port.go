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

	// UpdateKeepsMAC corrects that an update of a running device that leaves the MAC address open counts as a change of it,
	// and is refused: the address stays.
	UpdateKeepsMAC schema.Deviation = "attached-mac-open"
	// UpdateCompares corrects that an update of a running device takes changes without any effect: of the team, the addresses,
	// routes and name in the guest, the forwarded ports, the scripts, the guest that serves it. They are refused.
	UpdateCompares schema.Deviation = "attached-compares"
	// UpdateUndone corrects that an update of a running device that fails half-way stays half done: all of it is taken back,
	// in all modes.
	UpdateUndone schema.Deviation = "attached-undone"
	// UpdateResolved corrects that new limits of one direction end those of the other that come from a port group: they stay,
	// in all modes.
	UpdateResolved schema.Deviation = "attached-resolved"
	// UpdateUntouched corrects that an update of the link state alone takes a new port from the network and gives the old one
	// back: nothing is touched, in all modes.
	UpdateUntouched schema.Deviation = "attached-untouched"

	// DirectLeft corrects that a card which a guest had for itself in mode passthrough is left switched off: it is as it was
	// before, in all modes.
	DirectLeft schema.Deviation = "attached-card-left"
	// DirectUndone corrects that a card keeps the address of a guest in mode passthrough that could not be attached: it has its
	// own again, in all modes.
	DirectUndone schema.Deviation = "attached-card-undone"
	// DirectNode corrects that the device of a guest is opened by the node /dev/tapN, which is that of another one where two
	// network namespaces have devices of the same number: it is opened by the number of its own, in all modes.
	DirectNode schema.Deviation = "attached-direct-node"
	// DirectSilent corrects that a host with IPv6 speaks with the address of a guest on one of its devices: it says nothing, in
	// all modes.
	DirectSilent schema.Deviation = "attached-direct-silent"
	// AssociationForgotten corrects that a guest stays without its association when lldpad is started anew, which forgets all
	// guests and tells nobody: Open, Repair and Heal associate it again, in all modes.
	AssociationForgotten schema.Deviation = "attached-association-forgotten"

	// FunctionBusy corrects that a virtual function is taken away from the host that uses its network device: it is refused,
	// in all modes.
	FunctionBusy schema.Deviation = "attached-function-busy"
	// FunctionGroup corrects that a virtual function is given to a guest that cannot get it, because the host uses another
	// device of its IOMMU group: it is refused, in all modes.
	FunctionGroup schema.Deviation = "attached-function-group"
	// FunctionExact corrects that of what a card did for a function before a guest had it only the address and the number of
	// the VLAN are put back: so are the priority and the protocol of the VLAN, the name, the MTU and the state of the network
	// device, and the driver that an administrator chose, in all modes.
	FunctionExact schema.Deviation = "attached-function-exact"
	// FunctionAnew corrects that what a guest's function had before is set for the one that came in its place when the
	// functions of the card were made anew: that one is left alone, in all modes.
	FunctionAnew schema.Deviation = "attached-function-anew"
)
