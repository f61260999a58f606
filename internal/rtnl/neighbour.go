// SPDX-License-Identifier: Apache-2.0

//go:build linux

package rtnl

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// A Neighbour is who has an address on a link.
type Neighbour struct {
	// Index is that of the link.
	Index int
	Addr  netip.Addr
	MAC   [6]byte
	// Confirmed is whether the kernel takes the entry for true now, and not only until it has asked again.
	Confirmed bool
}

// The lengths and states of neighbours in the kernel's messages.
const (
	sizeofNdmsg = 12
	fresh       = unix.NUD_REACHABLE | unix.NUD_PERMANENT
	usable      = fresh | unix.NUD_STALE | unix.NUD_DELAY | unix.NUD_PROBE
)

// Neighbours lists who is known on one link, of both families, without those that were asked for and do not answer.
func (c *Conn) Neighbours(index int) ([]Neighbour, error) {
	body := make([]byte, sizeofNdmsg, sizeofNdmsg+8)
	body = binary.NativeEndian.AppendUint16(body, 8)
	body = binary.NativeEndian.AppendUint16(body, unix.NDA_IFINDEX)
	body = binary.NativeEndian.AppendUint32(body, uint32(index))
	return list(c, request{kind: unix.RTM_GETNEIGH, body: body}, func(body []byte) (Neighbour, bool, error) {
		n, ok, err := parseNeighbour(body)
		return n, ok && n.Index == index, err
	})
}

// parseNeighbour is false for what is no neighbour with an Ethernet address.
func parseNeighbour(body []byte) (n Neighbour, ok bool, err error) {
	if len(body) < sizeofNdmsg {
		return n, false, fmt.Errorf("the kernel's message about a neighbour has %d bytes", len(body))
	}
	n.Index = int(binary.NativeEndian.Uint32(body[4:]))
	state := binary.NativeEndian.Uint16(body[8:])
	n.Confirmed = state&fresh != 0
	ad, err := netlink.NewAttributeDecoder(body[sizeofNdmsg:])
	if err != nil {
		return n, false, err
	}
	known := false
	for ad.Next() {
		switch ad.Type() {
		case unix.NDA_DST:
			ad.Do(parseIP(&n.Addr))
		case unix.NDA_LLADDR:
			known = copy(n.MAC[:], ad.Bytes()) == len(n.MAC) && len(ad.Bytes()) == len(n.MAC)
		}
	}
	return n, known && n.Addr.IsValid() && state&usable != 0, ad.Err()
}
