// SPDX-License-Identifier: Apache-2.0

package network

import "github.com/go-virtnet/virtnet/network/schema"

// What a [Manager] does otherwise than libvirt 11.3 when it gives devices and traffic classes to ports.
const (
	// HeldElsewhere looks, before a port gets a device, at the ports of all networks and of none: a device that somebody has
	// alone is given to nobody else, and one that somebody uses is given to nobody alone. libvirt knows the ports of the same
	// network only.
	HeldElsewhere schema.Deviation = "device-held-elsewhere"
	// HeldAlone keeps a device from all others on the network whose port has it alone. libvirt asks only whether a port that
	// wants a device alone can have it, and gives the device of such a port to later ones.
	HeldAlone schema.Deviation = "device-held-alone"
	// BusyDevice passes over devices that the host itself uses or does not have. libvirt finds out when the guest starts.
	BusyDevice schema.Deviation = "device-busy"
	// FreshFunctions looks for the virtual functions of a <pf> whenever a device is wanted. libvirt looks once, when the
	// network starts.
	FreshFunctions schema.Deviation = "pf-fresh"
	// ReleaseRecorded lets a port go whose device has left the network. libvirt keeps the port for ever.
	ReleaseRecorded schema.Deviation = "release-recorded"
	// ReclaimBridge refuses to take a port back that is plugged into another bridge than that of its network. libvirt takes it.
	ReclaimBridge schema.Deviation = "reclaim-bridge"
	// ReclaimFloor guarantees the floor of a port again when the port is taken back. libvirt does not, and later subtracts
	// the floor from what it never added it to.
	ReclaimFloor schema.Deviation = "reclaim-floor"
	// BrokenCounts counts the device and the floor of a port that could not be taken back, because its guest may run on.
	// libvirt lists the port and does not count it.
	BrokenCounts schema.Deviation = "port-broken-counts"
	// ClassLimit gives traffic classes the numbers up to 65535, which the kernel has. libvirt goes on counting.
	ClassLimit schema.Deviation = "class-limit"
	// FloorRest leaves the guests without a floor 1 kB/s where floors take all there is. libvirt asks the kernel for a class
	// of rate 0, which the kernel refuses.
	FloorRest schema.Deviation = "floor-rest"
	// UpdateGivesBack counts what a port had as given back when another takes its place. libvirt needs both at once.
	UpdateGivesBack schema.Deviation = "update-gives-back"
	// OwnClass chooses the traffic class of a new port, whatever its document says. libvirt keeps a class that the document
	// names, although there is none.
	OwnClass schema.Deviation = "port-class-own"
)
