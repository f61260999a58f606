// SPDX-License-Identifier: Apache-2.0

//go:build linux

package rtnl

import (
	"encoding/binary"
	"errors"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// A VF is what a card does for one of its virtual functions. The kernel tells what the card's driver does not know as it is
// at first.
type VF struct {
	Index int
	MAC   [6]byte
	VLAN  VFVLAN
	Rate  VFRate
	// State is one of VFAuto, VFUp and VFDown.
	State uint32
	// SpoofCheck and Trust are nil if the driver does not tell.
	SpoofCheck, Trust *bool
}

// A VFVLAN is the VLAN of a function; ID 0 is none. Proto is ETH_P_8021Q or ETH_P_8021AD, and 0 is the first.
type VFVLAN struct {
	ID, QoS uint32
	Proto   uint16
}

// A VFRate is what a function may send, in megabits per second; 0 is no limit.
type VFRate struct{ Min, Max uint32 }

// What a function sees of the wire: what the card does, or always the same.
const (
	VFAuto uint32 = iota
	VFUp
	VFDown
)

// A VFChange is what a function is to be given: one of these.
type VFChange struct {
	MAC               *[6]byte
	VLAN              *VFVLAN
	Rate              *VFRate
	State             *uint32
	SpoofCheck, Trust *bool
}

// The attributes of a function in a message.
const (
	vfInfo = 1

	vfMAC       = 1
	vfVLAN      = 2
	vfSpoof     = 4
	vfState     = 5
	vfRate      = 6
	vfTrust     = 9
	vfVLANList  = 12
	vfVLANInfo  = 1
	vfMACLength = 32 // of the longest address that a link can have
)

// VFs lists the virtual functions of the link with that index. A link that has none has an empty list.
func (c *Conn) VFs(card int) ([]VF, error) {
	body, err := linkBody(card, 0, 0, func(ae *netlink.AttributeEncoder) {
		const withFunctions = 1 << 0 // RTEXT_FILTER_VF
		ae.Uint32(unix.IFLA_EXT_MASK, withFunctions|skipStatistics)
	})
	if err != nil {
		return nil, err
	}
	var found []VF
	var failed error
	_, err = c.exchange([]request{{kind: unix.RTM_GETLINK, body: body}}, func(a answer) {
		failed = errors.Join(failed, a.err)
		if a.body != nil {
			more, err := parseVFs(a.body)
			found, failed = append(found, more...), errors.Join(failed, err)
		}
	})
	return found, errors.Join(err, failed)
}

// parseVFs reads the functions from a message about a link.
func parseVFs(body []byte) (found []VF, err error) {
	if len(body) < unix.SizeofIfInfomsg {
		return nil, nil
	}
	ad, err := netlink.NewAttributeDecoder(body[unix.SizeofIfInfomsg:])
	if err != nil {
		return nil, err
	}
	for ad.Next() {
		if ad.Type() == unix.IFLA_VFINFO_LIST {
			ad.Nested(func(ad *netlink.AttributeDecoder) error {
				for ad.Next() {
					if ad.Type() == vfInfo {
						var v VF
						ad.Nested(v.parse)
						found = append(found, v)
					}
				}
				return nil
			})
		}
	}
	return found, ad.Err()
}

func (v *VF) parse(ad *netlink.AttributeDecoder) error {
	for ad.Next() {
		if ad.Type() == vfVLANList {
			ad.Nested(v.parseVLANs)
			continue
		}
		b := ad.Bytes()
		if len(b) < 8 {
			continue
		}
		value := binary.NativeEndian.Uint32(b[4:])
		switch ad.Type() {
		case vfMAC:
			v.Index = int(binary.NativeEndian.Uint32(b))
			copy(v.MAC[:], b[4:])
		case vfSpoof:
			v.SpoofCheck = toggle(value)
		case vfTrust:
			v.Trust = toggle(value)
		case vfState:
			v.State = value
		case vfRate:
			if len(b) >= 12 {
				v.Rate = VFRate{value, binary.NativeEndian.Uint32(b[8:])}
			}
		}
	}
	return nil
}

// parseVLANs reads the outer tag; kernels since 4.9 tell of one.
func (v *VF) parseVLANs(ad *netlink.AttributeDecoder) error {
	for ad.Next() {
		if b := ad.Bytes(); ad.Type() == vfVLANInfo && len(b) >= 14 {
			v.VLAN = VFVLAN{
				ID: binary.NativeEndian.Uint32(b[4:]), QoS: binary.NativeEndian.Uint32(b[8:]), Proto: binary.BigEndian.Uint16(b[12:]),
			}
		}
	}
	return nil
}

// toggle is nil for the number by which the kernel says that it does not know.
func toggle(value uint32) *bool {
	if value == ^uint32(0) {
		return nil
	}
	on := value != 0
	return &on
}

// SetVF changes one virtual function of the link with that index. What the card's driver does not have is
// errors.ErrUnsupported, and what it refuses mostly fs.ErrInvalid.
func (c *Conn) SetVF(card, number int, change VFChange) error {
	body, err := linkBody(card, 0, 0, func(ae *netlink.AttributeEncoder) {
		ae.Nested(unix.IFLA_VFINFO_LIST, func(ae *netlink.AttributeEncoder) error {
			ae.Nested(vfInfo, func(ae *netlink.AttributeEncoder) error {
				change.encode(ae, uint32(number))
				return nil
			})
			return nil
		})
	})
	if err != nil {
		return err
	}
	return c.change(request{kind: unix.RTM_SETLINK, body: body})
}

func (c VFChange) encode(ae *netlink.AttributeEncoder, number uint32) {
	words := func(values ...uint32) []byte {
		b := binary.NativeEndian.AppendUint32(nil, number)
		for _, value := range values {
			b = binary.NativeEndian.AppendUint32(b, value)
		}
		return b
	}
	switch {
	case c.MAC != nil:
		b := words(make([]uint32, vfMACLength/4)...)
		copy(b[4:], c.MAC[:])
		ae.Bytes(vfMAC, b)
	case c.VLAN != nil && (c.VLAN.Proto == 0 || c.VLAN.Proto == unix.ETH_P_8021Q):
		ae.Bytes(vfVLAN, words(c.VLAN.ID, c.VLAN.QoS))
	case c.VLAN != nil:
		ae.Nested(vfVLANList, func(ae *netlink.AttributeEncoder) error {
			// The structure ends on a whole word.
			b := append(binary.BigEndian.AppendUint16(words(c.VLAN.ID, c.VLAN.QoS), c.VLAN.Proto), 0, 0)
			ae.Bytes(vfVLANInfo, b)
			return nil
		})
	case c.Rate != nil:
		ae.Bytes(vfRate, words(c.Rate.Min, c.Rate.Max))
	case c.SpoofCheck != nil:
		ae.Bytes(vfSpoof, words(boolean[uint32](*c.SpoofCheck)))
	case c.State != nil:
		ae.Bytes(vfState, words(*c.State))
	case c.Trust != nil:
		ae.Bytes(vfTrust, words(boolean[uint32](*c.Trust)))
	}
}
