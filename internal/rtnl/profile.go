// SPDX-License-Identifier: Apache-2.0

//go:build linux

package rtnl

import (
	"encoding/binary"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Attributes of port profiles, which the system's headers have and package unix has not.
const (
	vfPort     = 1 // IFLA_VF_PORT
	portVF     = 1
	portName   = 2
	portVSI    = 3
	portID     = 4
	portHost   = 5
	portAsk    = 6
	portAnswer = 7
)

// Self is the number of a device that is no virtual function, but is meant itself (PORT_SELF_VF).
const Self = ^uint32(0)

// What can be asked for a guest.
const (
	PortPreassociate = iota
	PortPreassociateRR
	PortAssociate
	PortDisassociate
)

// A PortProfile is what a switch is asked to do for a guest.
type PortProfile struct {
	Request uint8
	// Instance names the guest, or its interface.
	Instance [16]byte
	MAC      [6]byte
	VLAN     uint16
	// Manager, Type (24 bits) and Version name the profile at a switch of 802.1Qbg.
	Manager, Version uint8
	Type             uint32
}

// vsiBody is the message to an agent. The link is named twice, as lldpad wants it.
func (p PortProfile) vsiBody(index int, link string) ([]byte, error) {
	return linkBody(index, 0, 0, func(ae *netlink.AttributeEncoder) {
		ae.String(unix.IFLA_IFNAME, link)
		ae.Nested(unix.IFLA_VFINFO_LIST, func(ae *netlink.AttributeEncoder) error {
			ae.Nested(vfInfo, func(ae *netlink.AttributeEncoder) error {
				ae.Bytes(vfMAC, macAttribute(Self, p.MAC))
				ae.Bytes(vfVLAN, words(Self, uint32(p.VLAN), 0))
				return nil
			})
			return nil
		})
		ae.Nested(unix.IFLA_VF_PORTS, func(ae *netlink.AttributeEncoder) error {
			ae.Nested(vfPort, func(ae *netlink.AttributeEncoder) error {
				ae.Bytes(portVSI, []byte{p.Manager, byte(p.Type), byte(p.Type >> 8), byte(p.Type >> 16), p.Version, 0, 0, 0})
				ae.Bytes(portID, p.Instance[:])
				ae.Uint8(portAsk, p.Request)
				return nil
			})
			return nil
		})
	})
}

// macAttribute is a struct ifla_vf_mac.
func macAttribute(vf uint32, mac [6]byte) []byte {
	return append(append(words(vf), mac[:]...), make([]byte, vfMACLength-len(mac))...)
}

// words are numbers in the order of this machine.
func words(numbers ...uint32) []byte {
	var b []byte
	for _, n := range numbers {
		b = binary.NativeEndian.AppendUint32(b, n)
	}
	return b
}

// parseResponses reads the list of guests in an agent's answer.
func parseResponses(body []byte) (list []PortResponse, err error) {
	err = eachPort(body, func(ad *netlink.AttributeDecoder) error {
		var r PortResponse
		vf := Self
		for ad.Next() {
			switch ad.Type() {
			case portVF:
				vf = ad.Uint32()
			case portID:
				ad.Do(takeUUID(&r.Instance))
			case portAnswer:
				r.Code, r.Done = ad.Uint16(), true
			}
		}
		if vf == Self {
			list = append(list, r)
		}
		return nil
	})
	return list, err
}

// parseNotices reads what an agent tells.
func parseNotices(body []byte) (list []PortNotice, err error) {
	err = eachPort(body, func(ad *netlink.AttributeDecoder) error {
		var n PortNotice
		asks := false
		for ad.Next() {
			switch ad.Type() {
			case portID:
				ad.Do(takeUUID(&n.Instance))
			case portAsk:
				// lldpad sends two bytes where the kernel's headers say one.
				ad.Do(func(b []byte) error {
					asks = len(b) == 1 || len(b) == 2
					switch len(b) {
					case 1:
						n.Request = b[0]
					case 2:
						n.Request = uint8(binary.NativeEndian.Uint16(b))
					}
					return nil
				})
			}
		}
		if asks {
			list = append(list, n)
		}
		return nil
	})
	return list, err
}

func takeUUID(to *[16]byte) func([]byte) error {
	return func(b []byte) error {
		if len(b) != len(to) {
			return fmt.Errorf("an instance of %d bytes", len(b))
		}
		copy(to[:], b)
		return nil
	}
}

// eachPort hands over the ports of a message about a link.
func eachPort(body []byte, take func(*netlink.AttributeDecoder) error) error {
	if len(body) < unix.SizeofIfInfomsg {
		return fmt.Errorf("the agent's message about a link has %d bytes", len(body))
	}
	ad, err := netlink.NewAttributeDecoder(body[unix.SizeofIfInfomsg:])
	if err != nil {
		return err
	}
	for ad.Next() {
		if ad.Type() == unix.IFLA_PORT_SELF {
			ad.Nested(take)
		}
		if ad.Type() != unix.IFLA_VF_PORTS {
			continue
		}
		ad.Nested(func(ports *netlink.AttributeDecoder) error {
			for ports.Next() {
				if ports.Type() == vfPort {
					ports.Nested(take)
				}
			}
			return nil
		})
	}
	return ad.Err()
}
