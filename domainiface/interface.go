// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"encoding/xml"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/qos"
	"github.com/go-virtnet/virtnet/virtualport"
)

// An Interface is an <interface> document: one network device of a guest and what it is connected to.
// Of the many elements most are the same for all types; what Source says depends on the Type.
//
//	<interface type='network'>
//	  <mac address='52:54:00:0a:0b:0c'/>
//	  <source network='default'/>
//	  <model type='virtio'/>
//	</interface>
type Interface struct {
	XMLName xml.Name `xml:"interface"`

	// Type is user when absent.
	Type Type `xml:"type,attr,omitempty" doc:"alias"`
	// Managed says whether a device of type hostdev is taken from its driver on the host and given back.
	// Absent is no.
	Managed schema.YesNo `xml:"managed,attr,omitempty"`
	// TrustGuestRxFilters lets the host follow when the guest changes its MAC address or its filters.
	// Absent is no or, on a network, what the network says.
	TrustGuestRxFilters schema.YesNo `xml:"trustGuestRxFilters,attr,omitempty"`

	// MAC is the address of the device in the guest. Nil leaves it to [Interface.Complete].
	MAC *MAC `xml:"mac"`
	// Source is what the device is connected to. Types that need nothing may leave it nil.
	Source *Source `xml:"source" doc:"keep"`
	// VLAN is the VLANs whose traffic the guest gets. Nil is what the network says, or all.
	VLAN *virtualport.VLAN `xml:"vlan" doc:"open"`
	// VirtualPort is the profile of the guest on its switch. Nil is what the network says, or none.
	VirtualPort *virtualport.VirtualPort `xml:"virtualport"`
	// Bandwidth limits the traffic. Nil is what the network says, or no limit.
	Bandwidth *qos.Bandwidth `xml:"bandwidth" doc:"open"`
	// Port is about the port of the bridge. Nil is what the network says, or not isolated.
	Port *virtualport.Port `xml:"port"`
	// Actual is what a network gave the device: only in what is kept of a running guest.
	Actual *Actual `xml:"actual"`
	// IPs and Routes are those of the device inside the guest.
	IPs    []IP            `xml:"ip"`
	Routes []network.Route `xml:"route"`
	// PortForwards lead from the host to the guest.
	PortForwards []PortForward `xml:"portForward"`
	// Script connects and Downscript disconnects the device. Nil is none.
	Script     *Script `xml:"script" doc:"first"`
	Downscript *Script `xml:"downscript" doc:"first"`
	// BackendDomain is the guest that serves the device, on Xen. Nil is the host.
	BackendDomain *BackendDomain `xml:"backenddomain" doc:"first"`
	// Target is the device on the host. Nil leaves its name to the library.
	Target *Target `xml:"target"`
	// Guest is the device in a container. Nil leaves its name to the hypervisor.
	Guest *GuestDev `xml:"guest" doc:"first"`
	// Model is the card that the guest sees, and Driver what serves it on the host. Nil leaves them to the
	// hypervisor.
	Model  *Model  `xml:"model" doc:"first"`
	Driver *Driver `xml:"driver" doc:"inside,before=source:type=hostdev"`
	// VirtioDriver is where libvirt tells, with type hostdev and a model of the virtio family, the options of the Driver
	// that both have: only in what [Interface.Normalize] made with Compat. It is never read.
	VirtioDriver *Driver `xml:"-" doc:"again=driver"`
	// Backend is the program or the device files behind the device. Nil is what is usual.
	Backend *Backend `xml:"backend"`
	// FilterRef is the packet filter. Nil is none.
	FilterRef *FilterRef `xml:"filterref"`
	Tune      *Tune      `xml:"tune" doc:"first"`
	// Teaming pairs the device with another. Nil is alone.
	Teaming *Teaming `xml:"teaming" doc:"first"`
	// Link is the cable. Nil is plugged in.
	Link *Link `xml:"link" doc:"first"`
	// MTU is the largest packet. Nil is that of the network or the bridge.
	MTU *MTU `xml:"mtu" doc:"first"`
	// Coalesce gathers packets to the guest. Nil does not.
	Coalesce *Coalesce `xml:"coalesce"`
	Boot     *Boot     `xml:"boot"`
	Alias    *Alias    `xml:"alias" doc:"first"`
	ROM      *ROM      `xml:"rom"`
	ACPI     *ACPI     `xml:"acpi"`
	// Address is where the device is in the guest. Nil leaves it to the hypervisor.
	Address *Address `xml:"address" doc:"opaque"`
	// PrivateData is the hypervisor's own: only in what is kept of a running guest.
	PrivateData *PrivateData `xml:"privateData" doc:"opaque"`

	schema.Extra
	Origin schema.Source `xml:"-"` // the text that the document was read from
}
