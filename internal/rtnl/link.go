// SPDX-License-Identifier: Apache-2.0

//go:build linux

package rtnl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// A Link is a network device as the kernel describes it.
type Link struct {
	Index int
	Name  string
	// Kind is the kernel's word, such as "bridge", "veth" or "tun"; empty for hardware.
	Kind string
	// Ethernet is whether it carries Ethernet frames: among the links of kind "tun" it tells tap from tun.
	Ethernet bool
	// MAC is zero if the link has none of six bytes, and Permanent if it was not made with one: then the kernel or somebody
	// else chose MAC. Kernels before 5.6 do not tell.
	MAC       [6]byte
	Permanent [6]byte
	MTU       int
	Up        bool
	// Carrier is whether there is somebody at the other end.
	Carrier bool
	// Promiscuous and AllMulticast are set where somebody asked for it, and not where the kernel needs it.
	Promiscuous, AllMulticast bool
	Alias                     string
	// Master is the index of the device it belongs to, and 0 if it belongs to none.
	Master int
	// MasterKind is the kind of that device.
	MasterKind string
	// Lower is the index of the device below it, of a device that stands on another in its own namespace; 0 on others.
	Lower int
	// Outside is the same where the device below is in another namespace, of which it is the index.
	Outside int
	// VLAN is the number of a device that puts frames in a VLAN, and 0 on others.
	VLAN int
	// Mode is that of a macvtap or macvlan device, in the word of "ip link ... mode"; empty on others.
	Mode string
	// NoPromisc is set on such a device that leaves the one below what that takes, see [Stacked].
	NoPromisc bool
	// Parent is what the hardware is called on its Bus, such as 0000:03:00.0 on pci; both are empty if the link is no
	// hardware.
	Parent, Bus string
	// Bridge, Port and Tap are set as far as the link is one.
	Bridge BridgeOptions
	Port   PortOptions
	// Hairpin is whether a bridge port sends back through itself what came in by it.
	Hairpin bool
	Tap     TapOptions
	// gone is whether it was discarded; see [Conn.Discard].
	gone bool
}

// BridgeOptions are those of a bridge.
type BridgeOptions struct {
	STP bool
	// ForwardDelay is in hundredths of a second.
	ForwardDelay  int
	VLANFiltering bool
}

// PortOptions are those of a bridge port, as far as they are not what the kernel gives each port.
type PortOptions struct{ Isolated, NoLearning, NoFlood bool }

// TapOptions are those of a tap or tun device.
type TapOptions struct{ MultiQueue, VnetHdr, Persistent bool }

// Link looks for a link by its name. None wraps fs.ErrNotExist.
func (c *Conn) Link(name string) (Link, error) {
	found, err := c.LinksNamed(name)
	if err != nil {
		return Link{}, err
	}
	if len(found) == 0 {
		return Link{}, fmt.Errorf("link %s: %w", name, &Error{Errno: unix.ENODEV})
	}
	return found[0], nil
}

// Index is the index of the link with that name. None wraps fs.ErrNotExist.
func (c *Conn) Index(name string) (index int, err error) {
	err = c.borrow(func(s *socket) (err error) {
		index, err = s.linkIndex(name)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("link %s: %w", name, Translate(err))
	}
	return index, nil
}

// LinksNamed looks for links by their names, without reading the list of all. Those that do not exist are left out. A
// link that is found by another of its names is returned under the one that was asked for.
func (c *Conn) LinksNamed(names ...string) ([]Link, error) {
	requests := make([]request, len(names))
	for i, name := range names {
		body, err := linkBody(0, 0, 0, func(ae *netlink.AttributeEncoder) {
			ae.Uint32(unix.IFLA_EXT_MASK, skipStatistics)
			ae.String(unix.IFLA_IFNAME, name)
		})
		if err != nil {
			return nil, err
		}
		requests[i] = request{kind: unix.RTM_GETLINK, body: body}
	}
	found, err := c.lookUp(requests)
	if err != nil {
		return nil, err
	}
	var links []Link
	for i, l := range found {
		if l.Index != 0 {
			l.Name = names[i]
			links = append(links, l)
		}
	}
	return links, nil
}

// LinkNames finds the names of links by their indexes. An index that no link has is left out. It asks by ioctl, which takes a
// tenth of the time of a message that tells all of a link.
func (c *Conn) LinkNames(indexes ...int) (map[int]string, error) {
	names := make(map[int]string, len(indexes))
	err := c.borrow(func(s *socket) error {
		for _, index := range indexes {
			if _, known := names[index]; known {
				continue
			}
			name, err := s.linkName(index)
			if err != nil && !errors.Is(err, unix.ENODEV) {
				return Translate(os.NewSyscallError("ioctl", err))
			}
			names[index] = name
		}
		return nil
	})
	maps.DeleteFunc(names, func(_ int, name string) bool { return name == "" })
	return names, err
}

// lookUp asks for single links. What does not exist has the index 0.
func (c *Conn) lookUp(requests []request) ([]Link, error) {
	found := make([]Link, len(requests))
	for done := 0; done < len(requests); done += together {
		var failed error
		part := requests[done:min(done+together, len(requests))]
		_, err := c.exchange(part, func(a answer) {
			l, err := Link{}, a.err
			if err == nil && a.body != nil {
				l, err = parseLink(a.body)
			}
			if l.gone {
				l = Link{}
			}
			// A name that no link can have is one that no link has.
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
				err = nil
			}
			found[done+a.request] = l
			failed = errors.Join(failed, err)
		})
		if err := errors.Join(err, failed); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// Links lists all links.
func (c *Conn) Links() ([]Link, error) {
	body, err := linkBody(0, 0, 0, func(ae *netlink.AttributeEncoder) {
		ae.Uint32(unix.IFLA_EXT_MASK, skipStatistics)
	})
	if err != nil {
		return nil, err
	}
	return c.listLinks(body, func(Link) bool { return true })
}

// listLinks lists the links that the kernel finds for a message, and of those the wanted ones.
func (c *Conn) listLinks(body []byte, wanted func(Link) bool) ([]Link, error) {
	return list(c, request{kind: unix.RTM_GETLINK, body: body}, func(body []byte) (Link, bool, error) {
		l, err := parseLink(body)
		return l, err == nil && !l.gone && wanted(l), err
	})
}

// LinksOfKind lists all links of one kind. The kernel leaves out the others.
func (c *Conn) LinksOfKind(kind string) ([]Link, error) {
	body, err := linkBody(0, 0, 0, func(ae *netlink.AttributeEncoder) {
		ae.Uint32(unix.IFLA_EXT_MASK, skipStatistics)
		ae.Nested(unix.IFLA_LINKINFO, func(ae *netlink.AttributeEncoder) error {
			ae.String(unix.IFLA_INFO_KIND, kind)
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return c.listLinks(body, func(l Link) bool { return l.Kind == kind }) // a kernel that does not know the kind lists all
}

// skipStatistics leaves counters out of an answer (RTEXT_FILTER_SKIP_STATS); virtual functions are left out unless asked
// for.
const skipStatistics = 1 << 3

// linkBody is the body of a message about a link: the fixed part, then what add adds.
func linkBody(index int, flags, change uint32, add func(*netlink.AttributeEncoder)) ([]byte, error) {
	ae := netlink.NewAttributeEncoder()
	add(ae)
	attributes, err := ae.Encode()
	if err != nil {
		return nil, fmt.Errorf("message about a link: %w", err)
	}
	return append(linkHeader(index, flags, change), attributes...), nil
}

func linkHeader(index int, flags, change uint32) []byte {
	header := make([]byte, unix.SizeofIfInfomsg, 256)
	binary.NativeEndian.PutUint32(header[4:], uint32(index))
	binary.NativeEndian.PutUint32(header[8:], flags)
	binary.NativeEndian.PutUint32(header[12:], change)
	return header
}

func parseLink(body []byte) (Link, error) {
	if len(body) < unix.SizeofIfInfomsg {
		return Link{}, fmt.Errorf("the kernel's message about a link has %d bytes", len(body))
	}
	l := Link{
		Index:        int(int32(binary.NativeEndian.Uint32(body[4:]))),
		Ethernet:     binary.NativeEndian.Uint16(body[2:]) == unix.ARPHRD_ETHER,
		Up:           binary.NativeEndian.Uint32(body[8:])&unix.IFF_UP != 0,
		Carrier:      binary.NativeEndian.Uint32(body[8:])&unix.IFF_LOWER_UP != 0,
		Promiscuous:  binary.NativeEndian.Uint32(body[8:])&unix.IFF_PROMISC != 0,
		AllMulticast: binary.NativeEndian.Uint32(body[8:])&unix.IFF_ALLMULTI != 0,
	}
	ad, err := netlink.NewAttributeDecoder(body[unix.SizeofIfInfomsg:])
	if err != nil {
		return Link{}, err
	}
	elsewhere := false
	for ad.Next() {
		switch ad.Type() {
		case unix.IFLA_IFNAME:
			l.Name = ad.String()
		case unix.IFLA_LINK:
			l.Lower = int(ad.Uint32())
		case unix.IFLA_LINK_NETNSID:
			elsewhere = true
		case unix.IFLA_PARENT_DEV_NAME:
			l.Parent = ad.String()
		case unix.IFLA_PARENT_DEV_BUS_NAME:
			l.Bus = ad.String()
		case unix.IFLA_ADDRESS:
			ad.Do(address(&l.MAC))
		case unix.IFLA_PERM_ADDRESS:
			ad.Do(address(&l.Permanent))
		case unix.IFLA_MTU:
			l.MTU = int(ad.Uint32())
		case unix.IFLA_IFALIAS:
			l.Alias = ad.String()
		case unix.IFLA_GROUP:
			l.gone = isDiscarded(ad.Uint32())
		case unix.IFLA_MASTER:
			l.Master = int(ad.Uint32())
		case unix.IFLA_LINKINFO:
			ad.Nested(l.parseInfo)
		}
	}
	if !l.stacked() {
		l.Lower = 0
	}
	if elsewhere {
		l.Lower, l.Outside = 0, l.Lower
	}
	return l, ad.Err()
}

// address reads one of six bytes, and passes over others.
func address(to *[6]byte) func([]byte) error {
	return func(b []byte) error {
		if len(b) == len(to) {
			copy(to[:], b)
		}
		return nil
	}
}

// stacked reports whether the kind of link stands on another. The kernel names the peer of a pair in the same place.
func (l *Link) stacked() bool {
	switch l.Kind {
	case "vlan", "macvlan", "macvtap", "ipvlan", "ipvtap":
		return true
	}
	return false
}

// parseInfo reads what is particular to the kind of a link. The kinds stand before the data they tell the meaning of.
func (l *Link) parseInfo(ad *netlink.AttributeDecoder) error {
	for ad.Next() {
		switch ad.Type() {
		case unix.IFLA_INFO_KIND:
			l.Kind = ad.String()
		case unix.IFLA_INFO_SLAVE_KIND:
			l.MasterKind = ad.String()
		case unix.IFLA_INFO_DATA:
			switch l.Kind {
			case "bridge":
				ad.Nested(l.Bridge.parse)
			case "tun":
				ad.Nested(l.Tap.parse)
			case "vlan":
				ad.Nested(l.parseVLAN)
			case "macvtap", "macvlan":
				ad.Nested(l.parseMacvlan)
			}
		case unix.IFLA_INFO_SLAVE_DATA:
			if l.MasterKind == "bridge" {
				ad.Nested(l.parsePort)
			}
		}
	}
	return nil
}

func (l *Link) parseVLAN(ad *netlink.AttributeDecoder) error {
	for ad.Next() {
		if ad.Type() == unix.IFLA_VLAN_ID {
			l.VLAN = int(ad.Uint16())
		}
	}
	return nil
}

// modes are the words for the modes of macvtap devices.
var modes = map[uint32]string{1: "private", 2: "vepa", 4: "bridge", 8: "passthru", 16: "source"}

func (l *Link) parseMacvlan(ad *netlink.AttributeDecoder) error {
	for ad.Next() {
		switch ad.Type() {
		case unix.IFLA_MACVLAN_MODE:
			l.Mode = modes[ad.Uint32()]
		case unix.IFLA_MACVLAN_FLAGS:
			l.NoPromisc = ad.Uint16()&noPromisc != 0
		}
	}
	return nil
}

func (o *BridgeOptions) parse(ad *netlink.AttributeDecoder) error {
	for ad.Next() {
		switch ad.Type() {
		case unix.IFLA_BR_STP_STATE:
			o.STP = ad.Uint32() != 0
		case unix.IFLA_BR_FORWARD_DELAY:
			o.ForwardDelay = int(ad.Uint32())
		case unix.IFLA_BR_VLAN_FILTERING:
			o.VLANFiltering = ad.Uint8() != 0
		}
	}
	return nil
}

func (l *Link) parsePort(ad *netlink.AttributeDecoder) error {
	o := &l.Port
	for ad.Next() {
		switch ad.Type() {
		case unix.IFLA_BRPORT_MODE:
			l.Hairpin = ad.Uint8() != 0
		case unix.IFLA_BRPORT_ISOLATED:
			o.Isolated = ad.Uint8() != 0
		case unix.IFLA_BRPORT_LEARNING:
			o.NoLearning = ad.Uint8() == 0
		case unix.IFLA_BRPORT_UNICAST_FLOOD:
			o.NoFlood = ad.Uint8() == 0
		}
	}
	return nil
}

func (o *TapOptions) parse(ad *netlink.AttributeDecoder) error {
	for ad.Next() {
		switch ad.Type() {
		case unix.IFLA_TUN_MULTI_QUEUE:
			o.MultiQueue = ad.Uint8() != 0
		case unix.IFLA_TUN_VNET_HDR:
			o.VnetHdr = ad.Uint8() != 0
		case unix.IFLA_TUN_PERSIST:
			o.Persistent = ad.Uint8() != 0
		}
	}
	return nil
}
