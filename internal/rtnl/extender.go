// SPDX-License-Identifier: Apache-2.0

//go:build linux

package rtnl

import (
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// What a port extender answers (802.1Qbh).
const (
	ProfileSuccess               = 0x100
	ProfileInProgress            = 0x101
	ProfileInvalid               = 0x102
	ProfileBadState              = 0x103
	ProfileInsufficientResources = 0x104
	ProfileError                 = 0x105
)

// profileLength is what drivers want a name to have, with zeros behind it.
const profileLength = 40

// An ExtenderPort is a port of a port extender: of a card (VF [Self]), or of a virtual function.
type ExtenderPort struct {
	VF      uint32
	Profile string
	// Instance is the guest, and Host the machine.
	Instance, Host [16]byte
	MAC            [6]byte
	// Done says that there is an answer, and Code is it.
	Done bool
	Code uint16
}

// SetProfile asks the port extender behind the card with that number for the profile of a port, or for the end of it. The
// answer comes later: see [Conn.Profiles].
func (c *Conn) SetProfile(card int, p ExtenderPort, ask uint8) error {
	body, err := p.body(card, ask)
	if err != nil {
		return err
	}
	return c.change(request{kind: unix.RTM_SETLINK, body: body})
}

// body is the message to the kernel. The kernel refuses an address for a card itself, which has it already.
func (p ExtenderPort) body(card int, ask uint8) ([]byte, error) {
	port := func(ae *netlink.AttributeEncoder) error {
		if ask != PortDisassociate {
			name := make([]byte, profileLength)
			if copy(name, p.Profile) == profileLength {
				return fmt.Errorf("profile %q: %w", p.Profile, &Error{Errno: unix.EINVAL})
			}
			ae.Bytes(portName, name)
			ae.Bytes(portID, p.Instance[:])
			ae.Bytes(portHost, p.Host[:])
		}
		if p.VF != Self {
			ae.Uint32(portVF, p.VF)
		}
		ae.Uint8(portAsk, ask)
		return nil
	}
	return linkBody(card, 0, 0, func(ae *netlink.AttributeEncoder) {
		if p.VF == Self {
			ae.Nested(unix.IFLA_PORT_SELF, port)
			return
		}
		if ask != PortDisassociate {
			ae.Nested(unix.IFLA_VFINFO_LIST, func(ae *netlink.AttributeEncoder) error {
				ae.Nested(vfInfo, func(ae *netlink.AttributeEncoder) error {
					ae.Bytes(vfMAC, macAttribute(p.VF, p.MAC))
					return nil
				})
				return nil
			})
		}
		ae.Nested(unix.IFLA_VF_PORTS, func(ae *netlink.AttributeEncoder) error {
			ae.Nested(vfPort, port)
			return nil
		})
	})
}

// Profiles lists the ports of the port extender behind the card with that number, as its driver tells of them. A driver that
// knows nothing of port extenders tells of none.
func (c *Conn) Profiles(card int) (list []ExtenderPort, err error) {
	body, err := linkBody(card, 0, 0, func(ae *netlink.AttributeEncoder) {
		const withFunctions = 1 << 0 // RTEXT_FILTER_VF
		ae.Uint32(unix.IFLA_EXT_MASK, withFunctions|skipStatistics)
	})
	if err != nil {
		return nil, err
	}
	var failed error
	_, err = c.exchange([]request{{kind: unix.RTM_GETLINK, body: body}}, func(a answer) {
		if failed = a.err; a.err == nil && a.body != nil {
			list, failed = parseExtender(a.body)
		}
	})
	if err == nil {
		err = failed
	}
	return list, err
}

// parseExtender reads the ports of a message about a link.
func parseExtender(body []byte) (list []ExtenderPort, err error) {
	err = eachPort(body, func(ad *netlink.AttributeDecoder) error {
		p := ExtenderPort{VF: Self}
		if err := p.parse(ad); err != nil {
			return err
		}
		list = append(list, p)
		return nil
	})
	return list, err
}

func (p *ExtenderPort) parse(ad *netlink.AttributeDecoder) error {
	for ad.Next() {
		switch ad.Type() {
		case portVF:
			p.VF = ad.Uint32()
		case portName:
			p.Profile = unix.ByteSliceToString(ad.Bytes())
		case portID:
			ad.Do(takeUUID(&p.Instance))
		case portHost:
			ad.Do(takeUUID(&p.Host))
		case portAnswer:
			p.Code, p.Done = ad.Uint16(), true
		}
	}
	return nil
}
