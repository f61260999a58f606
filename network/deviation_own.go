// SPDX-License-Identifier: Apache-2.0

package network

import "github.com/go-virtnet/virtnet/network/schema"

// The rules on what this library adds to the dialect, which libvirt 11.3 drops.
const (
	// OwnWord refuses what is not known in the elements of this library's own namespace.
	OwnWord schema.Deviation = "own-word"
	// InputMode refuses an <input> of a network that is no bridge of its own.
	InputMode schema.Deviation = "input-mode"
	// InputWithoutPolicy refuses an <input> that does not say what becomes of packets to the host.
	InputWithoutPolicy schema.Deviation = "input-policy"
	// InputAllowed refuses an <allow> of no protocol or port, of too many ports, and where everything is accepted.
	InputAllowed schema.Deviation = "input-allow"

	// PortForwardMode refuses forwards of a network that is no bridge of its own: there are no guests that the host could
	// lead to.
	PortForwardMode schema.Deviation = "port-forward-mode"
	// PortForwardMany refuses more than 16384 forwarded ports.
	PortForwardMany schema.Deviation = "port-forward-many"
	// PortForwardProto refuses a forward without a protocol.
	PortForwardProto schema.Deviation = "port-forward-proto"
	// PortForwardPort refuses a forward without a port.
	PortForwardPort schema.Deviation = "port-forward-port"
	// PortForwardToPort refuses a range of ports that leads to a range of another length.
	PortForwardToPort schema.Deviation = "port-forward-toport"
	// PortForwardTo refuses a forward that leads nowhere.
	PortForwardTo schema.Deviation = "port-forward-to"
	// PortForwardTarget refuses a forward to what is not the address of a guest of the network.
	PortForwardTarget schema.Deviation = "port-forward-target"
	// PortForwardAddress refuses a forward of an address that nobody else can connect to: unspecified, loopback, link-local,
	// multicast.
	PortForwardAddress schema.Deviation = "port-forward-address"
	// PortForwardFamily refuses a forward from one IP version to another.
	PortForwardFamily schema.Deviation = "port-forward-family"
	// PortForwardService refuses a forward of the ports for DNS, DHCP and TFTP of every address: the bridges of the networks
	// are among them, and guests would ask another guest.
	PortForwardService schema.Deviation = "port-forward-service"
	// PortForwardOnce refuses two forwards of the same port of the same address.
	PortForwardOnce schema.Deviation = "port-forward-once"
)
