// SPDX-License-Identifier: Apache-2.0

//go:build linux

package tc

import (
	"encoding/binary"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// A Qdisc is a queueing discipline of a link.
type Qdisc struct {
	Index          int
	Handle, Parent Handle
	Queue
	// Default is the class of htb for what no filter puts into another.
	Default uint32
}

// A Queue is what waits in a class, in a queueing discipline of some kind: fq_codel, sfq or bfifo.
type Queue struct {
	Kind string
	// Limit is how much waits: in a bfifo bytes, in an sfq packets, in an fq_codel bytes of the kernel's memory. Zero is the
	// kernel's own.
	Limit uint32
	// Target is the wait that an fq_codel aims at, in microseconds. The kernel counts in units of 1024 nanoseconds: multiples of
	// 128 are kept as they are.
	Target uint32
}

// Rates are those of a class of htb. Rate and Ceil are bytes per second; Buffer and CBuffer are the bursts as the time they
// take, see [Ticks].
type Rates struct {
	Rate, Ceil      uint64
	Buffer, CBuffer uint32
	Quantum         uint32
}

// A Class is a class of htb.
type Class struct {
	Handle, Parent Handle
	Rates          Rates
	// Bytes is how much it has sent, and Backlog how many bytes wait in it.
	Bytes   uint64
	Backlog uint32
}

// headerSize is that of struct tcmsg.
const headerSize = 20

// header is the fixed part of a message.
func header(index int, parent, handle Handle, info uint32) []byte {
	b := make([]byte, headerSize, 256)
	binary.NativeEndian.PutUint32(b[4:], uint32(index))
	binary.NativeEndian.PutUint32(b[8:], uint32(handle))
	binary.NativeEndian.PutUint32(b[12:], uint32(parent))
	binary.NativeEndian.PutUint32(b[16:], info)
	return b
}

// parse reads the fixed part and the kind of what a message tells, and hands its options and statistics over.
func parse(body []byte, options func(kind string, data []byte) error, stats func(kind uint16, b []byte) error) (index int, handle, parent Handle, info uint32, kind string, err error) {
	if len(body) < headerSize {
		return 0, 0, 0, 0, "", fmt.Errorf("the kernel's message about traffic control has %d bytes", len(body))
	}
	index = int(int32(binary.NativeEndian.Uint32(body[4:])))
	handle, parent = Handle(binary.NativeEndian.Uint32(body[8:])), Handle(binary.NativeEndian.Uint32(body[12:]))
	info = binary.NativeEndian.Uint32(body[16:])
	ad, err := netlink.NewAttributeDecoder(body[headerSize:])
	if err != nil {
		return 0, 0, 0, 0, "", err
	}
	for ad.Next() {
		switch ad.Type() {
		case unix.TCA_KIND:
			kind = ad.String()
		case unix.TCA_OPTIONS:
			ad.Do(func(b []byte) error { return options(kind, b) })
		case unix.TCA_STATS2:
			if stats != nil {
				ad.Do(func(b []byte) error { return attributes(b, stats) })
			}
		}
	}
	return index, handle, parent, info, kind, ad.Err()
}

// attributes reads a nest of attributes; what it does not know it leaves out.
func attributes(data []byte, f func(kind uint16, b []byte) error) error {
	ad, err := netlink.NewAttributeDecoder(data)
	if err != nil {
		return err
	}
	for ad.Next() {
		ad.Do(func(b []byte) error { return f(ad.Type(), b) })
	}
	return ad.Err()
}

// field is a number of 32 bits in a struct of the kernel's, and 0 beyond its end.
func field(b []byte, at int) uint32 {
	if len(b) < at+4 {
		return 0
	}
	return binary.NativeEndian.Uint32(b[at:])
}

// The attributes of htb and fq_codel, and those of statistics.
const (
	fqTarget   = 1
	fqMemory   = 9
	statsBasic = 1
	statsQueue = 3
	htbParms   = 1
	htbInit    = 2
	htbRate64  = 6
	htbCeil64  = 7
)

func parseQdisc(body []byte) (q Qdisc, err error) {
	q.Index, q.Handle, q.Parent, _, q.Kind, err = parse(body, func(kind string, data []byte) error {
		switch kind {
		case "bfifo":
			q.Limit = field(data, 0)
		case "sfq":
			q.Limit = field(data, 8)
		case "fq_codel":
			return attributes(data, func(kind uint16, b []byte) error {
				switch kind {
				case fqTarget:
					q.Target = field(b, 0)
				case fqMemory:
					q.Limit = field(b, 0)
				}
				return nil
			})
		case "htb":
			return attributes(data, func(kind uint16, b []byte) error {
				if kind == htbInit {
					q.Default = field(b, 8)
				}
				return nil
			})
		}
		return nil
	}, nil)
	return q, err
}

func parseClass(body []byte) (c Class, kind string, err error) {
	_, c.Handle, c.Parent, _, kind, err = parse(body, func(kind string, data []byte) error {
		if kind != "htb" {
			return nil
		}
		return attributes(data, func(kind uint16, b []byte) error {
			switch kind {
			case htbParms:
				// Two rates of 12 bytes, the number of each last, and then the rest.
				c.Rates.Rate, c.Rates.Ceil = max(c.Rates.Rate, uint64(field(b, 8))), max(c.Rates.Ceil, uint64(field(b, 20)))
				c.Rates.Buffer, c.Rates.CBuffer, c.Rates.Quantum = field(b, 24), field(b, 28), field(b, 32)
			case htbRate64:
				c.Rates.Rate = long(b)
			case htbCeil64:
				c.Rates.Ceil = long(b)
			}
			return nil
		})
	}, func(kind uint16, b []byte) error {
		switch kind {
		case statsBasic:
			c.Bytes = long(b)
		case statsQueue:
			c.Backlog = field(b, 4)
		}
		return nil
	})
	return c, kind, err
}

func long(b []byte) uint64 {
	if len(b) < 8 {
		return 0
	}
	return binary.NativeEndian.Uint64(b)
}

// AllQdiscs lists the queueing disciplines of all links.
func (c *Conn) AllQdiscs() (all []Qdisc, err error) {
	err = c.rt.List(unix.RTM_GETQDISC, header(0, 0, 0, 0), func() { all = nil }, func(body []byte) error {
		q, err := parseQdisc(body)
		all = append(all, q)
		return err
	})
	return all, err
}

// Qdiscs looks for the queueing disciplines at some places of a link, without reading those of others. Places without
// one, and with one that the kernel put there by itself, are left out.
func (c *Conn) Qdiscs(index int, places ...Handle) (found []Qdisc, err error) {
	bodies := make([][]byte, len(places))
	for i, place := range places {
		bodies[i] = header(index, place, 0, 0)
	}
	err = c.rt.Ask(unix.RTM_GETQDISC, bodies, func(body []byte) error {
		q, err := parseQdisc(body)
		found = append(found, q)
		return err
	})
	return found, err
}

// Classes lists the classes of htb of a link.
func (c *Conn) Classes(index int) (all []Class, err error) {
	err = c.rt.List(unix.RTM_GETTCLASS, header(index, 0, 0, 0), func() { all = nil }, func(body []byte) error {
		class, kind, err := parseClass(body)
		if kind == "htb" {
			all = append(all, class)
		}
		return err
	})
	return all, err
}
