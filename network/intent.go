// SPDX-License-Identifier: Apache-2.0

package network

import (
	"github.com/go-virtnet/virtnet/hostdev"
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/virtualport"
)

// An Intent is what somebody wants of a network, whatever makes it. The zero Intent is [LocalSwitching].
type Intent uint8

// The intents.
const (
	// LocalSwitching lets guests on one host reach each other inside the host.
	LocalSwitching Intent = iota
	// ExternalSwitching sends every packet of a guest through the switch outside, where it can be seen and
	// filtered.
	ExternalSwitching
	// Isolation keeps guests on one host from reaching each other directly.
	Isolation
	// ExclusiveDevice gives each guest a device of its own.
	ExclusiveDevice
)

var intentWords = []string{"local switching", "external switching", "isolation", "exclusive device"}

// String returns the intent in words.
func (i Intent) String() string { return schema.Word(intentWords, i) }

// A Device is what an [Intent] has to know of a network device of a host. What is not known stays zero.
type Device struct {
	Name string
	// Driver is the kind of a virtual device in the word of "ip link ... type", such as bridge, bond, vlan or
	// macvtap, and openvswitch for a bridge of Open vSwitch. Absent is hardware.
	Driver string
	// Master is the bridge or bond that the device is a member of; empty if none.
	Master string
	// Wireless hardware can send with its own MAC address only.
	Wireless bool
	// Up is the administrative state.
	Up bool
	// HostUses says that the host itself needs the device: it has its addresses or routes.
	HostUses bool
	// Macvtaps are the modes of the macvtap and macvlan devices on it.
	Macvtaps []schema.MacvtapMode
	// VFs is how many virtual functions the device has, as a physical function.
	VFs int
	// PF is the physical function whose virtual function the device is; empty if it is none.
	PF string
	// PCI is where the device is on the PCI bus; the zero Key if it is not.
	PCI hostdev.Key
	// Switch is the mode of the switch inside a network card: [schema.MacvtapBridge] for VEB or
	// [schema.MacvtapVEPA].
	Switch schema.MacvtapMode
	// Reflects says whether the switch outside sends a packet back where it came from (reflective relay, or
	// hairpin). Absent is not known.
	Reflects schema.YesNo
}

// A Candidate is a way to serve an [Intent], or one that cannot, with all that speaks against it.
type Candidate struct {
	Mode ForwardMode
	// Device is what the mode uses; empty for a network that makes its own bridge.
	Device string
	// Isolated says that the ports of the bridge have to be isolated.
	Isolated bool
	// Obstacles are why it cannot serve. None is a candidate that can.
	Obstacles []Obstacle
	// Notes are what to know of a candidate that can.
	Notes []Note

	onBridge bool // Device is a bridge that guests are plugged into
	pf       bool // Device is a physical function
	pci      hostdev.Key
}

// Serves reports whether the candidate serves the intent.
func (c Candidate) Serves() bool { return len(c.Obstacles) == 0 }

// Network returns the document of a network that is the candidate. One of its own making needs addresses besides in the
// modes nat and route.
func (c Candidate) Network(name string) *Network {
	n := &Network{Name: name}
	if c.Isolated {
		n.Port = &virtualport.Port{Isolated: schema.Yes}
	}
	if c.Mode == ForwardNone {
		return n
	}
	n.Forward = &Forward{Mode: c.Mode}
	switch {
	case c.Device == "":
	case c.pf:
		n.Forward.PF = &PF{Dev: schema.Text(c.Device)}
	case c.Mode == ForwardHostdev:
		n.Forward.Addresses = []hostdev.Address{hostdev.NewAddress(c.pci)}
		n.Forward.Managed = schema.Yes
	case c.onBridge:
		n.Bridge = &Bridge{Name: c.Device}
	default:
		n.Forward.Interfaces = []Interface{{Dev: schema.Text(c.Device)}}
	}
	return n
}

// An Obstacle is why a mode of forwarding on a device cannot serve an intent.
type Obstacle string

// The obstacles.
const (
	OtherIntent      Obstacle = "the mode serves another intent"
	NoDevice         Obstacle = "the host has no device for the mode"
	IsMember         Obstacle = "the device is a member of a bridge or bond"
	IsBridge         Obstacle = "the device is a bridge, which guests are plugged into"
	IsMacvtap        Obstacle = "the device is a macvtap or macvlan device itself"
	IsLoopback       Obstacle = "the device is the loopback device"
	IsTap            Obstacle = "the device belongs to a guest"
	IsWireless       Obstacle = "wireless hardware sends with its own address only"
	TakenWhole       Obstacle = "a macvtap device of mode passthrough has the device alone"
	HasMacvtaps      Obstacle = "other macvtap devices are on the device"
	HostNeedsIt      Obstacle = "the host uses the device itself"
	NotPCI           Obstacle = "the device is not on the PCI bus"
	NoFunctions      Obstacle = "the device has no virtual functions, nor is it one"
	PFDown           Obstacle = "the physical function is down"
	SwitchElsewhere  Obstacle = "the switch in the network card is not in mode VEB: guests reach each other by the switch outside"
	SwitchInside     Obstacle = "the switch in the network card is not in mode VEPA: guests reach each other inside"
	CannotBeIsolated Obstacle = "only the ports of a Linux bridge can be isolated"
)

// A Note is what to know of a way that serves an intent.
type Note string

// The notes.
const (
	NeedsReflection Note = "guests on the host reach each other only if the switch outside reflects (reflective relay), which is not known"
	NoReflection    Note = "guests on the host do not reach each other: the switch outside does not reflect"
	WeakIsolation   Note = "a switch outside that reflects can bring single packets of guests to each other"
	HostUnreachable Note = "guests and the host do not reach each other by the device"
	BringsUp        Note = "the device is down, and is brought up"
)
