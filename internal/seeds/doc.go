// SPDX-License-Identifier: Apache-2.0

// Package seeds holds no code; its tests show, line by line, that the documents carry what the texts described from
// which direct attachment grew: two chapters on guests' network cards, a page on macvtap for virtual servers, and the
// proposal of January 2010 for VEPA. A line has the id A01 to A34, and a test that is named after it if it is about
// documents:
//
//	A01  <interface type='direct'> with <source dev mode>
//	A02  vepa is the default mode
//	A03  mode bridge
//	A04  mode private keeps guests apart
//	A05  mode passthrough gives one guest a device
//	A07  802.1Qbg: managerid, typeid, typeidversion, instanceid
//	A08  802.1Qbg needs a VLAN that is not 0
//	A09  802.1Qbh: profileid
//	A12  the device may be a bond or a VLAN on a bond
//	A14  trustGuestRxFilters
//	A15  the MAC address may be left out
//	A16  a network hides the name of the device from a guest that migrates
//	A17  model virtio
//	A18  iommu for confidential guests
//	A19  describe what is wanted, not how it is made
//	A20  card, connection and bridge are three things
//	A21  Linux bridge, macvlan, virtual functions, the switch outside: modes of forwarding
//	A22  VEPA, PEPA and VEB are vepa, private and bridge
//	A25  the switch in a network card can be in mode VEB or VEPA
//	A29  one device in several networks of different modes
//	A31  definitions of bridges with a type and a mode
//	A32  definitions of physical devices
//	A33  the mode on the <target> of a guest
//	A34  the device follows from what is wanted
//
// The others are about hosts and the world, not about documents: A06 the macvtap driver must be there; A10 what hairpin
// means; A11 graphical managers; A13 when the device is made; A23 macvtap as the back end of a tap; A24 what VEB
// delivers; A26 the switch next to the host must reflect; A27 hairpin of a Linux bridge; A28 VEPA and VEB on one port of
// a switch; A30 finding out what a switch can do.
package seeds
