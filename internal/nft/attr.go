// SPDX-License-Identifier: Apache-2.0

//go:build linux

package nft

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// A writer puts netlink attributes one behind the other. It is written into directly, for a network has hundreds of them,
// four deep.
type writer []byte

func (w *writer) bytes(kind uint16, value []byte) {
	*w = append(w.header(kind, len(value)), value...)
	w.pad()
}

// text ends with a zero, as the kernel's names do.
func (w *writer) text(kind uint16, value string) {
	*w = append(w.header(kind, len(value)+1), value...)
	*w = append(*w, 0)
	w.pad()
}

// number is in network byte order, as all numbers of nf_tables are.
func (w *writer) number(kind uint16, value uint32) {
	*w = binary.BigEndian.AppendUint32(w.header(kind, 4), value)
}

func (w *writer) nested(kind uint16, body func()) {
	start := len(*w)
	*w = w.header(kind|unix.NLA_F_NESTED, 0)
	body()
	binary.NativeEndian.PutUint16((*w)[start:], uint16(len(*w)-start))
}

// value is data that a program compares with or loads.
func (w *writer) value(kind uint16, data string) {
	w.nested(kind, func() { w.bytes(unix.NFTA_DATA_VALUE, []byte(data)) })
}

func (w *writer) header(kind uint16, size int) []byte {
	b := binary.NativeEndian.AppendUint16(*w, uint16(unix.SizeofNlAttr+size))
	return binary.NativeEndian.AppendUint16(b, kind)
}

func (w *writer) pad() {
	for len(*w)%unix.NLA_ALIGNTO != 0 {
		*w = append(*w, 0)
	}
}

// known is more than the highest attribute that this package reads.
const known = 16

// attrs are the attributes of a message, of an expression or the like, by their kind.
type attrs struct {
	values [known][]byte
	// odd is set if there was more than that, or something else.
	odd bool
}

func readAttrs(b []byte) (a attrs) {
	ok := each(b, func(kind uint16, value []byte) {
		switch {
		case kind >= known:
			a.odd = a.odd || !zero(value)
		case a.values[kind] != nil:
			a.odd = true
		default:
			a.values[kind] = value
		}
	})
	a.odd = a.odd || !ok
	return a
}

// each calls f with each attribute, and returns false if what there is are no attributes.
func each(b []byte, f func(kind uint16, value []byte)) bool {
	for len(b) >= unix.SizeofNlAttr {
		n := int(binary.NativeEndian.Uint16(b))
		kind := binary.NativeEndian.Uint16(b[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
		if n < unix.SizeofNlAttr || n > len(b) {
			return false
		}
		f(kind, b[unix.SizeofNlAttr:n:n])
		b = b[min((n+unix.NLA_ALIGNTO-1)&^(unix.NLA_ALIGNTO-1), len(b)):]
	}
	return zero(b)
}

// take is one attribute, nil if it is missing, which is not there any more afterwards.
func (a *attrs) take(kind int) []byte {
	v := a.values[kind]
	a.values[kind] = nil
	return v
}

// number is 0 if the attribute is missing.
func (a *attrs) number(kind int) uint32 {
	v := a.take(kind)
	if len(v) != 4 {
		a.odd = a.odd || v != nil
		return 0
	}
	return binary.BigEndian.Uint32(v)
}

// text is empty if the attribute is missing.
func (a *attrs) text(kind int) string { return unix.ByteSliceToString(a.take(kind)) }

func (a *attrs) nested(kind int) attrs { return readAttrs(a.take(kind)) }

// value is what [writer.value] wrote.
func (a *attrs) value(kind int) string {
	data := a.nested(kind)
	v := string(data.take(unix.NFTA_DATA_VALUE))
	a.odd = a.odd || data.rest()
	return v
}

// rest reports whether there is anything that was not taken. A kernel may say more than this package knows as long as it
// says zero.
func (a *attrs) rest() bool {
	for _, v := range a.values {
		if !zero(v) {
			return true
		}
	}
	return a.odd
}

func zero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
