// SPDX-License-Identifier: Apache-2.0

package network

import "github.com/go-virtnet/virtnet/network/schema"

// What is done in another way than by libvirt 11.3 with other programs of the host.
const (
	// NoZone corrects that a network that names no zone cannot be started where firewalld runs without the zones that
	// libvirt brings: it is started, and is in none.
	NoZone schema.Deviation = "zone-none"
	// RegisterTried corrects that a network whose domain is to be registered cannot be started where the host has no
	// resolver that could be told, or where that refuses: it is started, and Manager.Watch tells what was left out.
	RegisterTried schema.Deviation = "domain-register-tried"
)
