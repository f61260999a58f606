// SPDX-License-Identifier: Apache-2.0

package network

import "github.com/go-virtnet/virtnet/network/schema"

// The rules on networks and ports that libvirt 11.3 does not have. Without them a document passes that
// fails or misbehaves when the network is started, that says something which is silently lost, or whose
// words break out of a configuration file. The packages qos, virtualport and hostdev have more.
const (
	// SafeName refuses a network name that makes no sound file name: control characters, "." and "..", more
	// than 200 bytes.
	SafeName schema.Deviation = "network-name-safe"
	// BridgeName refuses a bridge that the kernel cannot make: see [schema.IsDevice]. A template may have
	// one %d and no other %.
	BridgeName schema.Deviation = "bridge-name"
	// BridgeZone refuses a zone that firewalld cannot have: letters, digits, - and _.
	BridgeZone schema.Deviation = "bridge-zone"
	// BridgeDelay refuses a forward delay above the 30 seconds that the kernel takes.
	BridgeDelay schema.Deviation = "bridge-delay"
	// MTURange refuses an MTU that no bridge can have: 68 to 65535 are possible.
	MTURange schema.Deviation = "mtu-range"
	// DomainName refuses a <domain> without a name, which libvirt drops, and names that are none in DNS.
	DomainName schema.Deviation = "domain-name"
	// DNSName refuses host names, domains and targets that are none in DNS.
	DNSName schema.Deviation = "dns-name"
	// DNSText refuses control characters in TXT records.
	DNSText schema.Deviation = "dns-text"
	// DNSNowhere refuses a <dns> on a network that has no DNS server.
	DNSNowhere schema.Deviation = "dns-nowhere"
	// SRVEmpty refuses an empty service or protocol.
	SRVEmpty schema.Deviation = "srv-empty"

	// ContiguousMask refuses a netmask with a zero before a one, of an address or a route.
	ContiguousMask schema.Deviation = "netmask-contiguous"
	// NaturalPrefix refuses an IPv4 address above 223.255.255.255 without a size of its subnet: it has no
	// natural one.
	NaturalPrefix schema.Deviation = "ip-prefix-natural"
	// SeveralUplinks accepts several devices in the modes nat and route: guests get out by each of them.
	SeveralUplinks schema.Deviation = "forward-several-devices"
	// NaturalRoute accepts an IPv4 route without a size when its address is the first of the natural one: that of the
	// class of the address, 10.0.0.0 for 10.0.0.0/8. For libvirt it is everything, which only 0.0.0.0 agrees with.
	NaturalRoute schema.Deviation = "route-natural"
	// HostAddress refuses an address that no host can have: unspecified, loopback, multicast, broadcast, the
	// number of the subnet itself, or one with a scope.
	HostAddress schema.Deviation = "ip-address-host"
	// SubnetOverlap refuses two subnets of a network that overlap.
	SubnetOverlap schema.Deviation = "ip-subnet-overlap"
	// TFTPRoot refuses a <tftp> without a root, which libvirt drops, and a root with control characters or a
	// comma.
	TFTPRoot schema.Deviation = "tftp-root"

	// RangeOverlap refuses ranges of a subnet that overlap.
	RangeOverlap schema.Deviation = "dhcp-range-overlap"
	// LargeRange accepts ranges of more than 65536 addresses, with IPv6 as far as the first 64 bits are the same.
	LargeRange schema.Deviation = "dhcp-range-large"
	// RangeGateway refuses a range that contains the address of the network itself.
	RangeGateway schema.Deviation = "dhcp-range-gateway"
	// HostInSubnet refuses a DHCP host whose address is not in the subnet, or is the network's own.
	HostInSubnet schema.Deviation = "dhcp-host-in-subnet"
	// HostOnce refuses two DHCP hosts of a subnet with the same MAC, ID, name or address.
	HostOnce schema.Deviation = "dhcp-host-once"
	// HostName refuses the name of a DHCP host that is none in DNS: blanks and commas among others.
	HostName schema.Deviation = "dhcp-host-name"
	// HostMAC refuses text after the MAC of a DHCP host, which libvirt ignores.
	HostMAC schema.Deviation = "dhcp-host-mac"
	// LeaseExpiry refuses a <lease> without an expiry, which libvirt drops.
	LeaseExpiry schema.Deviation = "lease-expiry"
	// BootpFile refuses a boot file that is empty or has control characters or a comma.
	BootpFile schema.Deviation = "bootp-file-word"
	// BootpLost refuses a <bootp> that libvirt drops: in an IPv6 subnet, or without a range and a host.
	BootpLost schema.Deviation = "bootp-lost"

	// OneKindOfDevice refuses a <forward> with devices of several kinds, of which libvirt drops all but one.
	OneKindOfDevice schema.Deviation = "forward-one-kind"
	// IsolatedForward refuses content in a <forward> of mode none, which libvirt drops.
	IsolatedForward schema.Deviation = "forward-isolated"
	// ForwardDevice refuses the name of a device of the host that the kernel cannot have.
	ForwardDevice schema.Deviation = "forward-device"
	// PFMode refuses a <pf> in a mode that has no use for it.
	PFMode schema.Deviation = "forward-pf-mode"
	// ManagedMode refuses managed outside mode hostdev, where libvirt drops it.
	ManagedMode schema.Deviation = "forward-managed-mode"
	// NATPortZero refuses port 0 in a range of ports.
	NATPortZero schema.Deviation = "nat-port-zero"

	// VLANMerged judges a vlan by the type of switch that a port group and its network have together. It
	// accepts an untyped <virtualport> in a group of an Open vSwitch network, which libvirt refuses, and
	// refuses a vlan on macvtap devices of mode bridge, which in libvirt fails when a guest starts.
	VLANMerged schema.Deviation = "vlan-merged"
	// VirtualPortMode refuses a type of switch that can never be used in the mode of the network.
	VirtualPortMode schema.Deviation = "virtualport-mode"
	// VirtualPortMerge refuses a port group whose <virtualport> contradicts that of the network.
	VirtualPortMerge schema.Deviation = "virtualport-merge"
	// IsolatedPort refuses isolated ports where there is no Linux bridge to isolate them.
	IsolatedPort schema.Deviation = "port-isolated-mode"
	// GroupName refuses control characters in the name of a port group.
	GroupName schema.Deviation = "portgroup-name-safe"
	// OptionLine refuses control characters in an option of dnsmasq: a line end would begin another one.
	OptionLine schema.Deviation = "dnsmasq-option-line"
	// PlugDevice refuses the name of a device in a port that the kernel cannot have.
	PlugDevice schema.Deviation = "plug-device"
	// PortUUID accepts a port without a uuid: it gets one when it is made.
	PortUUID schema.Deviation = "port-uuid-made"
	// OwnerUUID accepts the owner of a port without a uuid: hypervisors that have none know their guests by name.
	OwnerUUID schema.Deviation = "port-owner-uuid-none"
	// PortMAC refuses a port whose MAC address is that of a group.
	PortMAC schema.Deviation = "port-mac-unicast"
)

// The rules on updates that libvirt 11.3 does not have, and what it cannot do: see [Network.UpdatedAs].
const (
	// UpdateDefined refuses an update after which the network breaks a rule by which networks are defined, such as a
	// VLAN in a port group of a NAT network. In libvirt that network cannot be defined again.
	UpdateDefined schema.Deviation = "update-defined"
	// UpdateHostMAC does not take a DHCP host without a MAC for the one to delete when another MAC is named.
	UpdateHostMAC schema.Deviation = "update-host-mac"
	// UpdateInUse refuses to delete a device that guests use. libvirt has the rule too, and forgets the guests before.
	UpdateInUse schema.Deviation = "update-in-use"
	// UpdateSection updates the sections bridge, domain, ip, forward and forward-pf, which libvirt refuses.
	UpdateSection schema.Deviation = "update-section"
)
