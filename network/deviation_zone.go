// SPDX-License-Identifier: Apache-2.0

package network

import "github.com/go-virtnet/virtnet/network/schema"

// What is done in another way than by libvirt 11.3 with other programs of the host.
const (
	// NoZone corrects that a network that names no zone cannot be started where firewalld runs without the zones that
	// libvirt brings: it is started, and is in none.
	NoZone schema.Deviation = "zone-none"
)
