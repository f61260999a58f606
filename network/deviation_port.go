// SPDX-License-Identifier: Apache-2.0

package network

import "github.com/go-virtnet/virtnet/network/schema"

// Where ports of a network are treated in another way than by libvirt 11.3.
const (
	// UnknownGroup corrects that a port in a group that its network does not have is taken for one without a group, without
	// the default group even: it is refused.
	UnknownGroup schema.Deviation = "port-group-unknown"
)
