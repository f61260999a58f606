// SPDX-License-Identifier: Apache-2.0

//go:build linux

package rtnl

import (
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// A NewLink is what a link has from its first moment. The kernel ignores an alias here; see [Change].
type NewLink struct {
	Name string
	MAC  [6]byte
	// MTU of 0 leaves it to the kernel.
	MTU int
}

func (n NewLink) encode(ae *netlink.AttributeEncoder) {
	ae.String(unix.IFLA_IFNAME, n.Name)
	ae.Bytes(unix.IFLA_ADDRESS, n.MAC[:])
	if n.MTU != 0 {
		ae.Uint32(unix.IFLA_MTU, uint32(n.MTU))
	}
}

// AddBridge makes a bridge, down. If a link of that name exists that is fs.ErrExist.
func (c *Conn) AddBridge(n NewLink, o BridgeOptions) error {
	return c.addLink(n, "bridge", func(ae *netlink.AttributeEncoder) error {
		// In this order: with STP on, the kernel accepts only some delays.
		ae.Uint32(unix.IFLA_BR_FORWARD_DELAY, uint32(o.ForwardDelay))
		ae.Uint32(unix.IFLA_BR_STP_STATE, boolean[uint32](o.STP))
		if o.VLANFiltering {
			ae.Uint8(unix.IFLA_BR_VLAN_FILTERING, 1)
		}
		return nil
	})
}

// AddVeth makes a pair of virtual Ethernet devices, both down: n here, and peer in the network namespace with that
// descriptor. A name that is taken, on either side, is fs.ErrExist.
func (c *Conn) AddVeth(n, peer NewLink, namespace int) error {
	return c.addLink(n, "veth", func(ae *netlink.AttributeEncoder) error {
		body, err := linkBody(0, 0, 0, func(ae *netlink.AttributeEncoder) {
			peer.encode(ae)
			ae.Uint32(unix.IFLA_NET_NS_FD, uint32(namespace))
		})
		const peerInfo = 1 // VETH_INFO_PEER
		ae.Bytes(peerInfo|unix.NLA_F_NESTED, body)
		return err
	})
}

// A Stacked is how a macvtap or macvlan device stands on another.
type Stacked struct {
	// Lower is the index of the link below.
	Lower int
	// Mode is one of the words of [Link.Mode]; in passthru the kernel ignores the address and takes that of the link below.
	Mode string
	// NoPromisc leaves the link below what it takes, in mode passthru.
	NoPromisc bool
	// Namespace is the descriptor of the network namespace that gets the device; 0 is that of the link below.
	Namespace int
}

// AddMacvtap makes a macvtap device, down. It refuses with fs.ErrInvalid also what others on the link below stand against,
// and with unix.EBUSY a link that is a part of another.
func (c *Conn) AddMacvtap(n NewLink, s Stacked) error { return c.addStacked(n, "macvtap", s) }

// AddMacvlan makes a macvlan device; see [Conn.AddMacvtap].
func (c *Conn) AddMacvlan(n NewLink, s Stacked) error { return c.addStacked(n, "macvlan", s) }

func (c *Conn) addStacked(n NewLink, kind string, s Stacked) error {
	return c.addLink(n, kind, func(ae *netlink.AttributeEncoder) error {
		if s.NoPromisc {
			ae.Uint16(unix.IFLA_MACVLAN_FLAGS, noPromisc)
		}
		for number, word := range modes {
			if word == s.Mode {
				ae.Uint32(unix.IFLA_MACVLAN_MODE, number)
				return nil
			}
		}
		return fmt.Errorf("mode %q: %w", s.Mode, &Error{Errno: unix.EINVAL})
	}, func(ae *netlink.AttributeEncoder) {
		ae.Uint32(unix.IFLA_LINK, uint32(s.Lower))
		if s.Namespace != 0 {
			ae.Uint32(unix.IFLA_NET_NS_FD, uint32(s.Namespace))
		}
	})
}

func (c *Conn) addLink(n NewLink, kind string, data func(*netlink.AttributeEncoder) error, more ...func(*netlink.AttributeEncoder)) error {
	body, err := linkBody(0, 0, 0, func(ae *netlink.AttributeEncoder) {
		n.encode(ae)
		for _, add := range more {
			add(ae)
		}
		ae.Nested(unix.IFLA_LINKINFO, func(ae *netlink.AttributeEncoder) error {
			ae.String(unix.IFLA_INFO_KIND, kind)
			ae.Nested(unix.IFLA_INFO_DATA, data)
			return nil
		})
	})
	if err != nil {
		return err
	}
	return c.change(request{kind: unix.RTM_NEWLINK, flags: unix.NLM_F_CREATE | unix.NLM_F_EXCL, body: body})
}

// A Change is what a link is to be given. What is zero stays as it is. The kernel makes several changes one after the
// other, and one that it refuses leaves those before it.
type Change struct {
	// Name is another name; kernels before 6.2 refuse it on a link that is up.
	Name string
	// Namespace is the descriptor of the network namespace that the link is moved to; 0 leaves it where it is. The name is
	// changed in the same moment, the rest before.
	Namespace int

	MAC   [6]byte
	MTU   int
	Alias string
	// NoAlias takes the alias away.
	NoAlias bool
	// Master is the index of the bridge the link becomes a port of, and NoMaster frees it.
	Master   int
	NoMaster bool
	Up, Down bool
	// SilentIPv6 keeps the kernel from making up an IPv6 address when the link goes up. A kernel without IPv6, and a link
	// that is too small for it, is errors.ErrUnsupported, and nothing is changed.
	SilentIPv6 bool
}

// SetLink changes a link by its name, which stays. No such link is fs.ErrNotExist.
func (c *Conn) SetLink(name string, change Change) error { return c.setLink(0, name, change) }

// SetLinkIndex changes a link by its index, so that no other of the same name is meant.
func (c *Conn) SetLinkIndex(index int, change Change) error { return c.setLink(index, "", change) }

func (c *Conn) setLink(index int, name string, change Change) error {
	var flags, mask uint32
	if change.Up || change.Down {
		flags, mask = boolean[uint32](change.Up)*unix.IFF_UP, unix.IFF_UP
	}
	body, err := linkBody(index, flags, mask, func(ae *netlink.AttributeEncoder) {
		if name == "" {
			name = change.Name
		}
		if name != "" {
			ae.String(unix.IFLA_IFNAME, name)
		}
		if change.Namespace != 0 {
			ae.Uint32(unix.IFLA_NET_NS_FD, uint32(change.Namespace))
		}
		if change.MAC != [6]byte{} {
			ae.Bytes(unix.IFLA_ADDRESS, change.MAC[:])
		}
		if change.MTU != 0 {
			ae.Uint32(unix.IFLA_MTU, uint32(change.MTU))
		}
		if change.NoAlias {
			ae.Bytes(unix.IFLA_IFALIAS, nil)
		}
		if change.Alias != "" {
			ae.String(unix.IFLA_IFALIAS, change.Alias)
		}
		if change.Master != 0 || change.NoMaster {
			ae.Uint32(unix.IFLA_MASTER, uint32(change.Master))
		}
		if change.SilentIPv6 {
			ae.Nested(unix.IFLA_AF_SPEC, silentIPv6)
		}
	})
	if err != nil {
		return err
	}
	return c.change(request{kind: unix.RTM_SETLINK, body: body})
}

func silentIPv6(ae *netlink.AttributeEncoder) error {
	ae.Nested(unix.AF_INET6, func(ae *netlink.AttributeEncoder) error {
		const none = 1 // IN6_ADDR_GEN_MODE_NONE
		ae.Uint8(unix.IFLA_INET6_ADDR_GEN_MODE, none)
		return nil
	})
	return nil
}

// SetTakes has a link take everything, or everything that is for a group, or not.
func (c *Conn) SetTakes(index int, promiscuous, allMulticast bool) error {
	flags := boolean[uint32](promiscuous)*unix.IFF_PROMISC | boolean[uint32](allMulticast)*unix.IFF_ALLMULTI
	return c.change(request{kind: unix.RTM_SETLINK, body: linkHeader(index, flags, unix.IFF_PROMISC|unix.IFF_ALLMULTI)})
}

// noPromisc is the kernel's MACVLAN_FLAG_NOPROMISC.
const noPromisc = 1

// SetNoPromisc has a macvtap device in mode passthru leave the one below what that takes, or have it take everything.
func (c *Conn) SetNoPromisc(index int, on bool) error {
	return c.setKind(index, "macvtap", func(ae *netlink.AttributeEncoder) {
		ae.Uint16(unix.IFLA_MACVLAN_FLAGS, uint16(boolean[uint8](on)*noPromisc))
	})
}

// SetBridge changes the options of a bridge but for [Conn.SetVLANFiltering]. With STP on, the kernel accepts only some delays.
func (c *Conn) SetBridge(index int, o BridgeOptions) error {
	delay := func(ae *netlink.AttributeEncoder) { ae.Uint32(unix.IFLA_BR_FORWARD_DELAY, uint32(o.ForwardDelay)) }
	stp := func(ae *netlink.AttributeEncoder) { ae.Uint32(unix.IFLA_BR_STP_STATE, boolean[uint32](o.STP)) }
	if o.STP {
		return c.setBridge(index, delay, stp)
	}
	// The kernel takes the delay first, whatever the order in a message.
	if err := c.setBridge(index, stp); err != nil {
		return err
	}
	return c.setBridge(index, delay)
}

// SetVLANFiltering has a bridge keep VLANs apart, or not. A kernel whose bridges cannot is errors.ErrUnsupported.
func (c *Conn) SetVLANFiltering(index int, on bool) error {
	return c.setBridge(index, func(ae *netlink.AttributeEncoder) { ae.Uint8(unix.IFLA_BR_VLAN_FILTERING, boolean[uint8](on)) })
}

func (c *Conn) setBridge(index int, options ...func(*netlink.AttributeEncoder)) error {
	return c.setKind(index, "bridge", options...)
}

// setKind changes options of a link that are those of its kind.
func (c *Conn) setKind(index int, kind string, options ...func(*netlink.AttributeEncoder)) error {
	body, err := linkBody(index, 0, 0, func(ae *netlink.AttributeEncoder) {
		ae.Nested(unix.IFLA_LINKINFO, func(ae *netlink.AttributeEncoder) error {
			ae.String(unix.IFLA_INFO_KIND, kind)
			ae.Nested(unix.IFLA_INFO_DATA, func(ae *netlink.AttributeEncoder) error {
				for _, option := range options {
					option(ae)
				}
				return nil
			})
			return nil
		})
	})
	if err != nil {
		return err
	}
	return c.change(request{kind: unix.RTM_NEWLINK, body: body})
}

// SetPort changes the options of a bridge port. The link has to be one already.
func (c *Conn) SetPort(index int, o PortOptions) error {
	return c.setPort(index, func(ae *netlink.AttributeEncoder) {
		ae.Uint8(unix.IFLA_BRPORT_ISOLATED, boolean[uint8](o.Isolated))
		ae.Uint8(unix.IFLA_BRPORT_LEARNING, boolean[uint8](!o.NoLearning))
		ae.Uint8(unix.IFLA_BRPORT_UNICAST_FLOOD, boolean[uint8](!o.NoFlood))
	})
}

// SetHairpin has a bridge port send back through itself what came in by it, or not.
func (c *Conn) SetHairpin(index int, on bool) error {
	return c.setPort(index, func(ae *netlink.AttributeEncoder) { ae.Uint8(unix.IFLA_BRPORT_MODE, boolean[uint8](on)) })
}

func (c *Conn) setPort(index int, options func(*netlink.AttributeEncoder)) error {
	body, err := linkBody(index, 0, 0, func(ae *netlink.AttributeEncoder) {
		ae.Nested(unix.IFLA_LINKINFO, func(ae *netlink.AttributeEncoder) error {
			ae.String(unix.IFLA_INFO_SLAVE_KIND, "bridge")
			ae.Nested(unix.IFLA_INFO_SLAVE_DATA, func(ae *netlink.AttributeEncoder) error {
				options(ae)
				return nil
			})
			return nil
		})
	})
	if err != nil {
		return err
	}
	return c.change(request{kind: unix.RTM_NEWLINK, body: body})
}

// DelLink removes a link by its index, which no other link of the same name can have. It takes the kernel some 20
// milliseconds.
func (c *Conn) DelLink(index int) error {
	if index <= 0 {
		return fmt.Errorf("link with index %d: %w", index, &Error{Errno: unix.ENODEV})
	}
	return c.change(request{kind: unix.RTM_DELLINK, body: linkHeader(index, 0, 0)})
}

func boolean[T uint8 | uint32](on bool) T {
	if on {
		return 1
	}
	return 0
}
