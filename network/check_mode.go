// SPDX-License-Identifier: Apache-2.0

package network

import "github.com/go-virtnet/virtnet/network/schema"

// checkMode checks what n has against its mode.
func (n *Network) checkMode(c *schema.Check) {
	switch n.Mode() {
	case ForwardNAT, ForwardRoute:
		c.Rule(len(n.IPs) > 0, "forward-needs-ip", "forward/@mode", "mode %s needs at least one <ip>", n.Mode())
		c.Rule(n.Forward.devices() < 2 || !c.Skips(SeveralUplinks), "forward-one-device", "forward", "mode %s takes one device, not %d", n.Mode(), n.Forward.devices())
		n.checkAddressMode(c)
	case ForwardOpen:
		c.Rule(n.Forward.devices() == 0, "forward-open-device", "forward", "mode open takes no device")
	}
	if n.Managed() {
		n.checkManagedVirtualPort(c)
		return
	}
	n.checkBridgeMode(c)
	mode := n.Mode()
	c.Rule(n.MTU == nil || n.MTU.Size.Uint() == 0, "mtu-mode", "mtu", "mode %s takes the MTU of what exists", mode)
	c.Rule(!n.MAC.isGiven(), "mac-mode", "mac", "mode %s makes no bridge that could have a MAC address", mode)
	c.Rule(len(n.IPs) == 0, "ip-mode", "ip", "mode %s has no addresses of its own", mode)
	if d := n.DNS; d != nil {
		if c.Rule(len(d.TXTs)+len(d.SRVs)+len(d.Hosts) == 0, "dns-mode", "dns", "mode %s has no DNS server", mode) {
			c.Deviates(false, DNSNowhere, "dns", "mode %s has no DNS server", mode)
		}
	}
	c.Rule(n.Domain == nil || !n.Domain.Name.Given(), "domain-mode", "domain", "mode %s has no DNS domain", mode)
	if b := n.Bandwidth; b != nil && (b.Inbound != nil || b.Outbound != nil) {
		c.Rule(n.HostBridge(), "bandwidth-mode", "bandwidth", "a network of mode %s%s cannot be limited as a whole", mode, n.withoutBridge())
	}
	n.checkPoolMode(c)
	if n.VirtualPort != nil {
		n.checkVirtualPortMode(c, n.VirtualPort.Type, "virtualport/@type")
	}
	c.Deviates(n.Port == nil || n.Port.Isolated != schema.Yes || n.linuxBridge(), IsolatedPort, "port/@isolated",
		"only the ports of a Linux bridge can be isolated")
}

// withoutBridge explains in a message what a network of mode bridge is when it names no bridge.
func (n *Network) withoutBridge() string {
	if n.Mode() == ForwardBridge && !n.HostBridge() {
		return " without a bridge"
	}
	return ""
}

// checkBridgeMode checks the <bridge> of a network that does not make its own.
func (n *Network) checkBridgeMode(c *schema.Check) {
	b, mode := n.Bridge, n.Mode()
	if b == nil {
		return
	}
	c.Rule(b.Zone == "", "bridge-zone-mode", "bridge/@zone", "mode %s makes no bridge that could be in a zone", mode)
	c.Rule(b.STP == 0, "bridge-stp-mode", "bridge/@stp", "mode %s makes no bridge that could be set", mode)
	c.Rule(b.Delay.Uint() == 0, "bridge-delay-mode", "bridge/@delay", "mode %s makes no bridge that could be set", mode)
	if mode == ForwardBridge {
		c.Rule(b.Name == "" || n.Forward.devices() == 0 && n.Forward.PF == nil, "bridge-or-device", "forward",
			"a network uses a bridge or devices, not both")
		return
	}
	c.Rule(b.Name == "", "bridge-name-mode", "bridge/@name", "mode %s uses no bridge", mode)
	c.Rule(b.MACTableManager == 0, "bridge-table-mode", "bridge/@macTableManager", "mode %s uses no bridge", mode)
}

// checkPoolMode checks the devices of a network that hands them out.
func (n *Network) checkPoolMode(c *schema.Check) {
	f := n.Forward
	if n.Mode() == ForwardHostdev {
		c.Rule(f.Dev == "" && len(f.Interfaces) == 0, "forward-hostdev-interface", "forward", "mode hostdev takes PCI addresses or a <pf>, not network devices")
		return
	}
	n.checkAddressMode(c)
}

// checkAddressMode refuses PCI addresses where network devices are used.
func (n *Network) checkAddressMode(c *schema.Check) {
	c.Rule(!n.Forward.usesAddresses(), "forward-address-mode", "forward/address[1]", "mode %s takes network devices, not PCI addresses", n.Mode())
}

// linuxBridge reports whether guests are plugged into a Linux bridge.
func (n *Network) linuxBridge() bool {
	return n.Managed() || n.HostBridge() && (n.VirtualPort == nil || n.VirtualPort.Type == 0)
}
