// SPDX-License-Identifier: Apache-2.0

//go:build linux

package tc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// A Filter is a filter at one of the priorities that this package uses, as far as it made it.
type Filter struct {
	// Handle is the kernel's number of the filter.
	Handle uint32
	// Class is where what it matches goes. 0 is nowhere.
	Class Handle
	// MAC is the destination that it matches; zero if it matches something else.
	MAC [6]byte
	// Redirect is the index of the link to which it sends everything; 0 if it does not, and Lost if that link is gone.
	Redirect int
	// Police is how much it lets through; zero lets everything.
	Police Police
	// BPF is whether it is of kind bpf, and not u32.
	BPF bool
	// Fills is whether it fills in the checksums of what it matches, as AddFill has it.
	Fills bool
	// Other says what else it is; empty if it is as this package makes it.
	Other string
}

// Lost is the link of a redirection whose link is gone.
const Lost = -1

const (
	// preference is the priority of our filters among those of a link.
	preference = 49152
	// table is the hash table of destinations in the classes of a link: its last octet leads to one of 256 lists.
	table    = 0x00100000
	buckets  = 256
	rootList = 0x80000000 // the list that every packet goes through
	tableUse = rootList | 1
)

// The attributes of u32, its actions, and mirred.
const (
	u32Class   = 1
	u32Hash    = 2
	u32Link    = 3
	u32Divisor = 4
	u32Sel     = 5
	u32Act     = 7

	actKind     = 1
	actOptions  = 2
	mirredParms = 2

	terminal = 1 // TC_U32_TERMINAL
	stolen   = 4 // TC_ACT_STOLEN
	redirect = 1 // TCA_EGRESS_REDIR
)

// A place is where a filter is: at a parent of a link, among those of one priority, which are of one kind. The handle is the
// kernel's to choose if it is 0.
type place struct {
	index      int
	parent     Handle
	handle     uint32
	kind       string
	preference uint32
}

// u32At is the place of a filter of kind u32.
func u32At(index int, parent Handle, handle uint32) place {
	return place{index: index, parent: parent, handle: handle, kind: "u32", preference: preference}
}

// info is the priority, and the protocol in the order of the network: all.
func (p place) info() uint32 {
	var all [2]byte
	binary.BigEndian.PutUint16(all[:], unix.ETH_P_ALL)
	return p.preference<<16 | uint32(binary.NativeEndian.Uint16(all[:]))
}

// A key compares four bytes of a packet.
type key struct {
	mask, value uint32
	// at is counted from the header of the network layer, before which the addresses stand.
	at int32
}

// destination are the keys of a destination.
func destination(mac [6]byte) []key {
	return []key{
		{0xffffffff, binary.BigEndian.Uint32(mac[:]), -14},
		{0xffff0000, uint32(binary.BigEndian.Uint16(mac[4:])) << 16, -10},
	}
}

// selector is struct tc_u32_sel. Hash is the mask of the four bytes that choose a list, and hashAt where they stand.
func selector(flags uint8, hash uint32, hashAt int16, keys []key) []byte {
	b := make([]byte, 16, 16+16*len(keys))
	b[0], b[2] = flags, uint8(len(keys))
	binary.NativeEndian.PutUint16(b[10:], uint16(hashAt))
	binary.BigEndian.PutUint32(b[12:], hash)
	for _, k := range keys {
		b = binary.BigEndian.AppendUint32(b, k.mask)
		b = binary.BigEndian.AppendUint32(b, k.value)
		b = binary.NativeEndian.AppendUint32(b, uint32(k.at))
		b = binary.NativeEndian.AppendUint32(b, 0)
	}
	return b
}

// everything matches every packet.
func everything() []key { return []key{{}} }

// filterBody is the message about one filter.
func filterBody(p place, options func(*netlink.AttributeEncoder)) ([]byte, error) {
	ae := netlink.NewAttributeEncoder()
	ae.String(unix.TCA_KIND, p.kind)
	if options != nil {
		ae.Nested(unix.TCA_OPTIONS, func(ae *netlink.AttributeEncoder) error { options(ae); return nil })
	}
	attributes, err := ae.Encode()
	if err != nil {
		return nil, fmt.Errorf("filter: %w", err)
	}
	return append(header(p.index, p.parent, Handle(p.handle), p.info()), attributes...), nil
}

func (c *Conn) addFilter(p place, options func(*netlink.AttributeEncoder)) error {
	body, err := filterBody(p, options)
	if err != nil {
		return err
	}
	if err := c.rt.Change(unix.RTM_NEWTFILTER, netlink.Create|netlink.Excl, body); err != nil {
		return fmt.Errorf("filter: %w", err)
	}
	return nil
}

// AddDestination puts what is sent to a station into a class of the root of a link: of kind u32 by a table, however many
// there are, and of kind bpf one after the other.
func (c *Conn) AddDestination(index int, mac [6]byte, class Handle, bpf bool) error {
	if bpf {
		return c.addProgram(index, MakeHandle(1, 0), to(mac), func(ae *netlink.AttributeEncoder) { ae.Uint32(bpfClass, uint32(class)) })
	}
	if err := c.addTable(index); err != nil {
		return err
	}
	return c.addFilter(u32At(index, MakeHandle(1, 0), 0), func(ae *netlink.AttributeEncoder) {
		ae.Bytes(u32Sel, selector(terminal, 0, 0, destination(mac)))
		ae.Uint32(u32Class, uint32(class))
		ae.Uint32(u32Hash, list(mac))
	})
}

// list is the list of the table that a destination is in.
func list(mac [6]byte) uint32 { return table | uint32(mac[5])<<12 }

// addTable makes the table of destinations if there is none.
func (c *Conn) addTable(index int) error {
	parent := MakeHandle(1, 0)
	err := c.addFilter(u32At(index, parent, table), func(ae *netlink.AttributeEncoder) { ae.Uint32(u32Divisor, buckets) })
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	err = c.addFilter(u32At(index, parent, tableUse), func(ae *netlink.AttributeEncoder) {
		ae.Bytes(u32Sel, selector(0, buckets-1, -12, everything()))
		ae.Uint32(u32Link, table)
		ae.Uint32(u32Hash, rootList)
	})
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// AddRedirect sends everything that comes in by a link out by another.
func (c *Conn) AddRedirect(index, to int, bpf bool) error {
	return c.addAction(index, "mirred", bpf, func(ae *netlink.AttributeEncoder) {
		parms := make([]byte, 28)
		binary.NativeEndian.PutUint32(parms[8:], stolen)
		binary.NativeEndian.PutUint32(parms[20:], redirect)
		binary.NativeEndian.PutUint32(parms[24:], uint32(to))
		ae.Bytes(mirredParms, parms)
	})
}

// addAction has an action of this kind see everything that comes in by a link.
func (c *Conn) addAction(index int, kind string, bpf bool, options func(*netlink.AttributeEncoder)) error {
	if bpf {
		return c.addProgram(index, Ingress, all, func(ae *netlink.AttributeEncoder) { action(ae, bpfAct, kind, options) })
	}
	return c.addFilter(u32At(index, Ingress, 0), func(ae *netlink.AttributeEncoder) {
		ae.Bytes(u32Sel, selector(terminal, 0, 0, everything()))
		action(ae, u32Act, kind, options)
	})
}

// action is the only action of a filter, as the attribute for it among the options of the filter.
func action(ae *netlink.AttributeEncoder, attribute uint16, kind string, options func(*netlink.AttributeEncoder)) {
	ae.Nested(attribute, func(ae *netlink.AttributeEncoder) error {
		ae.Nested(1, func(ae *netlink.AttributeEncoder) error {
			ae.String(actKind, kind)
			ae.Nested(actOptions, func(ae *netlink.AttributeEncoder) error { options(ae); return nil })
			return nil
		})
		return nil
	})
}

// DelFilter takes a filter away that was found there.
func (c *Conn) DelFilter(index int, parent Handle, f Filter) error {
	at := u32At(index, parent, f.Handle)
	if f.BPF {
		at = bpfAt(index, parent, f.Handle)
	}
	body, err := filterBody(at, nil)
	if err != nil {
		return err
	}
	if err := c.rt.Change(unix.RTM_DELTFILTER, 0, body); err != nil {
		return fmt.Errorf("filter: %w", err)
	}
	return nil
}

// Filters lists the filters at a place of a link. Those of another kind or priority have nothing but Other; lists, and
// what leads to our table, are left out.
func (c *Conn) Filters(index int, parent Handle) (all []Filter, err error) {
	err = c.rt.List(unix.RTM_GETTFILTER, header(index, parent, 0, 0), func() { all = nil }, func(body []byte) error {
		f, skip, err := parseFilter(body)
		if !skip {
			all = append(all, f)
		}
		return err
	})
	// A place that a link does not have holds no filters.
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return nil, nil
	}
	return all, err
}

func parseFilter(body []byte) (f Filter, skip bool, err error) {
	var sel []byte
	var isList bool
	_, handle, _, info, kind, err := parse(body, func(kind string, data []byte) error {
		if f.BPF = kind == "bpf"; f.BPF {
			return parseProgram(data, &f)
		}
		if kind != "u32" {
			return nil
		}
		return attributes(data, func(kind uint16, b []byte) error {
			switch kind {
			case u32Class:
				f.Class = Handle(field(b, 0))
			case u32Divisor:
				isList = true
			case u32Sel:
				sel = slices.Clone(b)
			case u32Act:
				return attributes(b, func(_ uint16, b []byte) error { return parseAction(b, &f) })
			}
			return nil
		})
	}, nil)
	f.Handle = uint32(handle)
	switch {
	case f.BPF && info>>16 == bpfPreference:
		return f, handle == 0, err
	case kind != "u32" || info>>16 != preference:
		return Filter{Other: fmt.Sprintf("filter %s pref %d", kind, info>>16)}, handle == 0, err
	}
	redirects, polices := f.Redirect != 0, f.Police != Police{}
	switch {
	case isList || f.Handle == 0:
		return f, true, err
	case f.Handle == tableUse && f.Class == 0 && !redirects && !polices:
		skip = slices.Equal(sel, selector(0, buckets-1, -12, everything()))
	case redirects != polices:
		if slices.Equal(sel, selector(terminal, 0, 0, everything())) {
			return f, false, err
		}
	case !redirects:
		if f.MAC = parseDestination(sel); f.MAC != [6]byte{} && f.Other == "" {
			return f, false, err
		}
	}
	if !skip && f.Other == "" {
		f.Other = fmt.Sprintf("filter u32 %x", f.Handle)
	}
	return f, skip, err
}

// parseDestination is the station that a selector matches, and zero if it matches anything else. The kernel counts the
// keys, and their offsets are as they were given.
func parseDestination(sel []byte) (mac [6]byte) {
	if len(sel) < 16+2*16 {
		return mac
	}
	copy(mac[:], sel[20:24])
	copy(mac[4:], sel[36:38])
	if !slices.Equal(sel, selector(terminal, 0, 0, destination(mac))) {
		return [6]byte{}
	}
	return mac
}

// readAction reads the kind of an action and hands its options over.
func readAction(b []byte, options func(kind string, data []byte) error) error {
	var kind string
	return attributes(b, func(attribute uint16, b []byte) error {
		switch attribute {
		case actKind:
			kind = string(b[:max(0, len(b)-1)])
		case actOptions:
			return options(kind, b)
		}
		return nil
	})
}

// parseAction reads one action of a filter of kind u32.
func parseAction(b []byte, f *Filter) error {
	return readAction(b, func(kind string, data []byte) error {
		switch kind {
		case "mirred":
			return parseRedirect(data, f)
		case "police":
			return parsePolice(data, f)
		case "csum":
			return parseFill(data, f)
		}
		f.Other = "action " + kind
		return nil
	})
}

func parseRedirect(b []byte, f *Filter) error {
	return attributes(b, func(attribute uint16, b []byte) error {
		if attribute != mirredParms {
			return nil
		}
		if field(b, 8) != stolen || field(b, 20) != redirect {
			f.Other = "action mirred"
			return nil
		}
		if f.Redirect = int(field(b, 24)); f.Redirect == 0 {
			f.Redirect = Lost
		}
		return nil
	})
}
