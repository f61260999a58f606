// SPDX-License-Identifier: Apache-2.0

//go:build linux

package rtnl

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// A VLAN is one that a port of a bridge is in.
type VLAN struct {
	ID uint16
	// Native is whether frames that come in without a tag are in it, and Untagged whether its frames go out without one.
	Native, Untagged bool
}

// struct br_vlan_msg, struct bridge_vlan_info, and the attributes they stand in.
const (
	sizeofVLANMessage = 8
	vlanEntry         = 1 // BRIDGE_VLANDB_ENTRY
	vlanEntryInfo     = 1 // BRIDGE_VLANDB_ENTRY_INFO
	vlanEntryRange    = 2 // BRIDGE_VLANDB_ENTRY_RANGE
	bridgeVLANInfo    = 2 // IFLA_BRIDGE_VLAN_INFO

	vlanNative     = 2  // BRIDGE_VLAN_INFO_PVID
	vlanUntagged   = 4  // BRIDGE_VLAN_INFO_UNTAGGED
	vlanRangeBegin = 8  // BRIDGE_VLAN_INFO_RANGE_BEGIN
	vlanRangeEnd   = 16 // BRIDGE_VLAN_INFO_RANGE_END
)

// PortVLANs lists the VLANs of bridge ports, by the indexes of the ports: of one port, or of all if index is 0. A kernel
// whose bridges know no VLANs has none.
func (c *Conn) PortVLANs(index int) (map[int][]VLAN, error) {
	body := make([]byte, sizeofVLANMessage)
	body[0] = unix.AF_BRIDGE
	binary.NativeEndian.PutUint32(body[4:], uint32(index))
	var all map[int][]VLAN
	err := c.List(unix.RTM_GETVLAN, body, func() { all = map[int][]VLAN{} }, func(body []byte) error {
		if len(body) < sizeofVLANMessage {
			return fmt.Errorf("the kernel's message about VLANs has %d bytes", len(body))
		}
		port := int(binary.NativeEndian.Uint32(body[4:]))
		ad, err := netlink.NewAttributeDecoder(body[sizeofVLANMessage:])
		if err != nil {
			return err
		}
		for ad.Next() {
			if ad.Type() == vlanEntry {
				ad.Nested(func(ad *netlink.AttributeDecoder) error { all[port] = append(all[port], parseVLANs(ad)...); return nil })
			}
		}
		return ad.Err()
	})
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, nil
	}
	return all, err
}

// parseVLANs reads an entry, which may stand for several that are alike.
func parseVLANs(ad *netlink.AttributeDecoder) (vlans []VLAN) {
	var first VLAN
	last := uint16(0)
	for ad.Next() {
		switch ad.Type() {
		case vlanEntryInfo:
			ad.Do(func(b []byte) error {
				if len(b) >= 4 {
					flags := binary.NativeEndian.Uint16(b)
					first = VLAN{ID: binary.NativeEndian.Uint16(b[2:]), Native: flags&vlanNative != 0, Untagged: flags&vlanUntagged != 0}
				}
				return nil
			})
		case vlanEntryRange:
			last = ad.Uint16()
		}
	}
	for id := first.ID; id != 0 && id <= max(first.ID, last) && id < 4096; id++ {
		vlans = append(vlans, VLAN{id, first.Native, first.Untagged})
	}
	return vlans
}

// AddVLANs puts a bridge port into VLANs, or changes how it is in them. It is refused as a whole, but for those before the
// one that the kernel refuses.
func (c *Conn) AddVLANs(index int, vlans ...VLAN) error {
	return c.setVLANs(unix.RTM_SETLINK, index, vlans)
}

// DelVLANs takes a bridge port out of VLANs.
func (c *Conn) DelVLANs(index int, vlans ...VLAN) error {
	return c.setVLANs(unix.RTM_DELLINK, index, vlans)
}

func (c *Conn) setVLANs(kind uint16, index int, vlans []VLAN) error {
	if len(vlans) == 0 {
		return nil
	}
	ae := netlink.NewAttributeEncoder()
	ae.Nested(unix.IFLA_AF_SPEC, func(ae *netlink.AttributeEncoder) error {
		for len(vlans) > 0 {
			n := alike(vlans)
			first, last := vlans[0], vlans[n-1]
			if n == 1 {
				ae.Bytes(bridgeVLANInfo, first.info(0))
			} else {
				ae.Bytes(bridgeVLANInfo, first.info(vlanRangeBegin))
				ae.Bytes(bridgeVLANInfo, last.info(vlanRangeEnd))
			}
			vlans = vlans[n:]
		}
		return nil
	})
	attributes, err := ae.Encode()
	if err != nil {
		return err
	}
	header := linkHeader(index, 0, 0)
	header[0] = unix.AF_BRIDGE
	return c.change(request{kind: kind, body: append(header, attributes...)})
}

// alike is how many VLANs at the beginning follow one another and differ in nothing else.
func alike(vlans []VLAN) int {
	n := 1
	for n < len(vlans) && !vlans[0].Native && vlans[n] == (VLAN{vlans[0].ID + uint16(n), false, vlans[0].Untagged}) {
		n++
	}
	return n
}

// info is struct bridge_vlan_info.
func (v VLAN) info(flags uint16) []byte {
	if v.Native {
		flags |= vlanNative
	}
	if v.Untagged {
		flags |= vlanUntagged
	}
	return binary.NativeEndian.AppendUint16(binary.NativeEndian.AppendUint16(nil, flags), v.ID)
}
