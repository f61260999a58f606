// SPDX-License-Identifier: Apache-2.0

package network

import "github.com/go-virtnet/virtnet/network/schema"

// Where ports of a network are treated in another way than by libvirt 11.3.
const (
	// UnknownGroup corrects that a port in a group that its network does not have is taken for one without a group, without
	// the default group even: it is refused.
	UnknownGroup schema.Deviation = "port-group-unknown"
	// PortUndone corrects that a port which cannot be made leaves things behind: its traffic class, its floor in the sum, its
	// MAC address in a map, and nobody told that it is gone. Nothing is left of it, in all modes.
	PortUndone schema.Deviation = "port-undone"
	// PortOnce corrects that a uuid which is taken is found after a device was chosen: it is found first, in all modes.
	PortOnce schema.Deviation = "port-once"
	// PortCounts corrects that a live update loses how many ports a network and its devices have, so that devices are given
	// twice: the numbers come from the ports, in all modes.
	PortCounts schema.Deviation = "port-counts"
	// PortStays corrects that a network which is stopped forgets its ports, and their hooks are not told: they stay and are
	// plugged in again, and [Manager.StopIdle] refuses to stop a network that has some. In all modes.
	PortStays schema.Deviation = "port-stays"
	// PortReleased corrects that giving a port back reports failure when it worked: the truth is reported, in all modes.
	PortReleased schema.Deviation = "port-released"
)
