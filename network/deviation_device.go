// SPDX-License-Identifier: Apache-2.0

package network

import "github.com/go-virtnet/virtnet/network/schema"

// What is done in another way than by libvirt 11.3 when ports are given devices and traffic classes.
const (
	// HeldElsewhere corrects that only the ports of the same network are looked at before a port gets a device: one that
	// somebody has alone is given to nobody else, and one that somebody uses is given to nobody alone, on whatever network
	// or on none.
	HeldElsewhere schema.Deviation = "device-held-elsewhere"
	// HeldAlone corrects that a device which a port has alone is given to a later port that would share it.
	HeldAlone schema.Deviation = "device-held-alone"
	// BusyDevice corrects that devices are given which the host itself uses, or does not have, whose IOMMU group another guest
	// has, or which are not managed and that nobody has handed over: they are passed over.
	BusyDevice schema.Deviation = "device-busy"
	// FreshFunctions corrects that the virtual functions of a <pf> are looked for once, when the network starts, and the
	// <pf> is forgotten: they are looked for again before a port is refused, and for each port that shares one.
	FreshFunctions schema.Deviation = "pf-fresh"
	// ReleaseRecorded corrects that a port whose device has left the network can never be deleted.
	ReleaseRecorded schema.Deviation = "release-recorded"
	// ReclaimBridge corrects that a port is taken back which is plugged into another bridge than that of its network.
	ReclaimBridge schema.Deviation = "reclaim-bridge"
	// ReclaimFloor corrects that the floor of a port that is taken back is not guaranteed again, and is later subtracted
	// from what it was never added to.
	ReclaimFloor schema.Deviation = "reclaim-floor"
	// BrokenCounts corrects that a port which could not be taken back is listed and not counted, although its guest may
	// run on.
	BrokenCounts schema.Deviation = "port-broken-counts"
	// ClassLimit corrects that traffic classes are numbered beyond 65535, the last that the kernel has.
	ClassLimit schema.Deviation = "class-limit"
	// PortGivesBack corrects that a port that takes the place of another cannot have the floor and the device of the other.
	PortGivesBack schema.Deviation = "port-gives-back"
	// OwnClass corrects that a traffic class which the document of a new port names is kept, although there is none.
	OwnClass schema.Deviation = "port-class-own"
)
