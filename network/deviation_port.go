// SPDX-License-Identifier: Apache-2.0

package network

import "github.com/go-virtnet/virtnet/network/schema"

// Where ports of a network are treated in another way than by libvirt 11.3.
const (
	// UnknownGroup refuses a port in a port group that its network does not have. libvirt takes it for a port without a group,
	// and does not even use the group that is the default.
	UnknownGroup schema.Deviation = "port-group-unknown"
)
