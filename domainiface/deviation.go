// SPDX-License-Identifier: Apache-2.0

package domainiface

import "github.com/go-virtnet/virtnet/network/schema"

// The rules on interfaces that libvirt 11.3 does not have. Without them a document passes that fails or
// misbehaves when the guest is started, or that says something which is silently lost. The packages qos,
// virtualport and hostdev have more.
const (
	// ManagedType refuses managed on types that hand over no device.
	ManagedType schema.Deviation = "managed-type"
	// SourceEmpty refuses an empty name of what an interface is connected to.
	SourceEmpty schema.Deviation = "source-empty"
	// SourceDevice refuses the name of a bridge or a device of the host that the kernel cannot have: see
	// [schema.IsDevice].
	SourceDevice schema.Deviation = "source-device"
	// SourceName refuses control characters in the name of a network or a port group.
	SourceName schema.Deviation = "source-name-control"
	// SourceLost refuses what a <source> says in vain: that which connects an interface of another type.
	SourceLost schema.Deviation = "source-lost"
	// TargetDevice refuses the name of a device that the kernel cannot have. A template may have one %d and
	// no other %.
	TargetDevice schema.Deviation = "target-device"
	// GuestDevice refuses the name of a device inside a container that the kernel cannot have.
	GuestDevice schema.Deviation = "guest-device"
	// ZeroAddress refuses a PCI device of the host whose domain, bus and slot are all 0, which libvirt takes for an
	// address that is not given.
	ZeroAddress schema.Deviation = "address-zero"
	// ModelUnknown refuses the model unknown, which libvirt takes for none.
	ModelUnknown schema.Deviation = "model-unknown"
	// MTURange refuses an MTU that no device can have: 68 to 65535 are possible.
	MTURange schema.Deviation = "mtu-range"
	// ACPIIndex refuses numbers above the 16383 that firmware has.
	ACPIIndex schema.Deviation = "acpi-index-range"

	// DriverLost refuses options of a driver that libvirt drops: those of virtio on another model or on type
	// hostdev, and those of hostdev on another type.
	DriverLost schema.Deviation = "driver-lost"
	// QueuesMost refuses more than the 256 queues that a tap device can have.
	QueuesMost schema.Deviation = "driver-queues-most"
	// VhostLost refuses a device file of vhost where libvirt drops it: for a model that is not virtio, or on
	// type hostdev.
	VhostLost schema.Deviation = "backend-vhost-lost"
	// FilterLost refuses a filter where libvirt drops it: without a name, or on a type that cannot be
	// filtered.
	FilterLost schema.Deviation = "filterref-lost"
	// FilterParameter refuses a parameter that libvirt skips: its name has letters, digits and _ only, its
	// value . and : besides.
	FilterParameter schema.Deviation = "filterref-parameter"

	// VirtualPortUseless refuses a kind of switch that has no effect on the type or that makes it fail:
	// 802.1Qbg and 802.1Qbh on a bridge, Open vSwitch and Midonet on direct, all but 802.1Qbh on hostdev.
	VirtualPortUseless schema.Deviation = "virtualport-useless"
	// VLANType refuses VLANs on what cannot be put in one: everything but hostdev, direct in mode
	// passthrough, a Linux bridge and Open vSwitch.
	VLANType schema.Deviation = "vlan-type"
	// AssociationVLAN refuses an 802.1Qbg profile without a VLAN from 1 to 4094, which the standard demands: that of the
	// device that the interface is on, which [Interface.ValidateHost] looks at, or the one tag of a <vlan>, which
	// libvirt has no use for.
	AssociationVLAN schema.Deviation = "virtualport-association-vlan"
	// VLANProfile refuses VLANs next to a profile on hostdev: the profile decides.
	VLANProfile schema.Deviation = "vlan-profile"
	// SourcePort refuses what is not the number of a port: negative numbers and those above 65535.
	SourcePort schema.Deviation = "source-port-range"
	// ForwardedPort refuses the numbers of ports above 65535.
	ForwardedPort schema.Deviation = "portforward-port"
	// BandwidthType refuses limits on types whose traffic cannot be limited, and that libvirt ignores: all
	// but network, bridge, direct and ethernet.
	BandwidthType schema.Deviation = "bandwidth-type"
	// ActualType refuses an <actual> on an interface that is on no network.
	ActualType schema.Deviation = "actual-type-network"

	// GuestMAC corrects, in [ValidateGuest], that two interfaces of a guest may have the same hardware address without being
	// a team.
	GuestMAC schema.Deviation = "guest-mac"
	// GuestTarget corrects, in [ValidateGuest], that two interfaces of a guest may ask for the same device of the host.
	GuestTarget schema.Deviation = "guest-target"
)
