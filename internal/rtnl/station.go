// SPDX-License-Identifier: Apache-2.0

//go:build linux

package rtnl

import (
	"encoding/binary"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// A Station is an address that a bridge has behind a port.
type Station struct {
	// Port and Bridge are the indexes of the two.
	Port, Bridge int
	MAC          [6]byte
	VLAN         uint16
	// Static is whether it was not learned, and does not age. Those of the machine itself are never told.
	Static bool
}

// static is the state of a station that somebody added.
const static = unix.NUD_NOARP | unix.NUD_REACHABLE

// Stations lists what is behind the port with that index, or behind all if it is 0.
func (c *Conn) Stations(port int) ([]Station, error) {
	body := make([]byte, sizeofNdmsg)
	body[0] = unix.AF_BRIDGE
	binary.NativeEndian.PutUint32(body[4:], uint32(port))
	return list(c, request{kind: unix.RTM_GETNEIGH, body: body}, func(body []byte) (Station, bool, error) {
		s, ok, err := parseStation(body)
		return s, ok && (port == 0 || s.Port == port), err
	})
}

func parseStation(body []byte) (s Station, ok bool, err error) {
	if len(body) < sizeofNdmsg {
		return s, false, fmt.Errorf("the kernel's message about a station has %d bytes", len(body))
	}
	s.Port = int(binary.NativeEndian.Uint32(body[4:]))
	state := binary.NativeEndian.Uint16(body[8:])
	s.Static = state&unix.NUD_NOARP != 0
	ad, err := netlink.NewAttributeDecoder(body[sizeofNdmsg:])
	if err != nil {
		return s, false, err
	}
	for ad.Next() {
		switch ad.Type() {
		case unix.NDA_LLADDR:
			ad.Do(func(b []byte) error { ok = copy(s.MAC[:], b) == len(s.MAC); return nil })
		case unix.NDA_MASTER:
			s.Bridge = int(ad.Uint32())
		case unix.NDA_VLAN:
			s.VLAN = ad.Uint16()
		}
	}
	return s, ok && body[0] == unix.AF_BRIDGE && s.Bridge != 0 && state&unix.NUD_PERMANENT == 0, ad.Err()
}

// AddStation says that a station is behind a bridge port, in each of the port's VLANs. One that is known already, behind
// whichever port, is fs.ErrExist, unless replace is set: then it is behind this one.
func (c *Conn) AddStation(port int, mac [6]byte, replace bool) error {
	flags := netlink.HeaderFlags(unix.NLM_F_CREATE | unix.NLM_F_EXCL)
	if replace {
		flags = unix.NLM_F_CREATE | unix.NLM_F_REPLACE
	}
	body, err := stationBody(port, mac)
	if err != nil {
		return err
	}
	return c.change(request{kind: unix.RTM_NEWNEIGH, flags: flags, body: body})
}

// DelStation takes back what was said, in each of the port's VLANs. A station that is not behind the port is fs.ErrNotExist.
func (c *Conn) DelStation(port int, mac [6]byte) error {
	body, err := stationBody(port, mac)
	if err != nil {
		return err
	}
	return c.change(request{kind: unix.RTM_DELNEIGH, body: body})
}

// AddGroup has a link take what is for a group. One that it takes already by hand is fs.ErrExist.
func (c *Conn) AddGroup(index int, group [6]byte) error {
	body, err := entryBody(index, group, unix.NUD_PERMANENT, unix.NTF_SELF)
	if err != nil {
		return err
	}
	return c.change(request{kind: unix.RTM_NEWNEIGH, flags: unix.NLM_F_CREATE | unix.NLM_F_EXCL, body: body})
}

// DelGroup takes that back. One that it does not take is fs.ErrNotExist.
func (c *Conn) DelGroup(index int, group [6]byte) error {
	body, err := entryBody(index, group, unix.NUD_PERMANENT, unix.NTF_SELF)
	if err != nil {
		return err
	}
	return c.change(request{kind: unix.RTM_DELNEIGH, body: body})
}

func stationBody(port int, mac [6]byte) ([]byte, error) {
	return entryBody(port, mac, static, unix.NTF_MASTER)
}

func entryBody(index int, mac [6]byte, state uint16, flags byte) ([]byte, error) {
	body := make([]byte, sizeofNdmsg)
	body[0] = unix.AF_BRIDGE
	binary.NativeEndian.PutUint32(body[4:], uint32(index))
	binary.NativeEndian.PutUint16(body[8:], state)
	body[10] = flags
	ae := netlink.NewAttributeEncoder()
	ae.Bytes(unix.NDA_LLADDR, mac[:])
	attributes, err := ae.Encode()
	return append(body, attributes...), err
}
