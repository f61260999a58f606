// SPDX-License-Identifier: Apache-2.0

// Package virtualport holds what a network, a port group, an interface or a port says about the port
// of the switch that a guest is plugged into: the <virtualport> profile, the <vlan> element and the
// isolation of <port>. It does not talk to any switch.
package virtualport
