// SPDX-License-Identifier: Apache-2.0

package nft

import (
	"cmp"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

// An annex is a table beside that of the filters, whose chains are the same whatever networks there are. What belongs to
// a network is entries of its sets and maps, each with the network in what nft calls a comment. The table is made with
// the first entry and goes with the last.
type annex struct {
	family string
	table  string
	sets   []annexSet
	chains []annexChain
	// entries are what a filter has in it, and restore is the way back. Entries that no filter has make a filter that is like no
	// other.
	entries func(host.Filter) []entry
	restore func(*host.Filter, []entry)
}

// An annexSet is a set or, if it has data, a map.
type annexSet struct {
	name      string
	key, data []field
}

// An annexChain is a chain that the kernel calls, with its rules in nft's words.
type annexChain struct {
	base
	rules []string
}

// An entry is an element of a set, by the number of that set in the annex, or of a map. Key and data are as the kernel has them.
type entry struct {
	set       int
	key, data string
}

// The annexes.
const (
	repairs = iota
	forwarding
	guarding
)

const annexCount = guarding + 1

// annexes are all of them, by their numbers.
var annexes = [annexCount]annex{repairs: repairAnnex(), forwarding: forwardAnnex(), guarding: guardAnnex()}

// concerns reports whether an operation changes what is in the annex.
func (a annex) concerns(o host.SetFilter) bool {
	return len(a.entries(o.Was))+len(a.entries(o.Filter)) > 0
}

// A field is a part of a key or of data: nft's word and number for its kind, and how long it is. The order of its bytes is
// only for nft, which prints it.
type field struct {
	word   string
	number uint32
	size   int
	order  uint32
}

// The kinds of fields.
var (
	protoField = field{"inet_proto", 12, 1, networkOrder}
	portField  = field{"inet_service", 13, 2, networkOrder}
	addr4Field = field{"ipv4_addr", 7, 4, networkOrder}
	addr6Field = field{"ipv6_addr", 8, 16, networkOrder}
	linkField  = field{"ifname", 41, maxLink, hostOrder}
)

// The orders of bytes, by nft's numbers. Several fields have none together.
const (
	mixedOrder   = 0
	hostOrder    = 1
	networkOrder = 2
)

// maxLink is how long the kernel's names of links are, with a zero behind.
const maxLink = 16

// join makes one key of several values: each fills whole registers of four bytes.
func join(values ...[]byte) string {
	var b []byte
	for _, v := range values {
		b = append(b, v...)
		b = append(b, make([]byte, padded(len(v))-len(v))...)
	}
	return string(b)
}

func padded(size int) int { return (size + 3) &^ 3 }

// split is the way back. It is nil if the key is not as long as the fields are.
func split(key string, fields []field) [][]byte {
	var values [][]byte
	for _, f := range fields {
		if len(key) < f.size {
			return nil
		}
		values = append(values, []byte(key[:f.size]))
		key = key[min(padded(f.size), len(key)):]
	}
	if key != "" {
		return nil
	}
	return values
}

// sizeOf is how long a key of these fields is. One alone is not padded.
func sizeOf(fields []field) int {
	if len(fields) == 1 {
		return fields[0].size
	}
	size := 0
	for _, f := range fields {
		size += padded(f.size)
	}
	return size
}

// sortEntries puts entries into an order that does not depend on where they come from.
func sortEntries(list []entry) {
	slices.SortFunc(list, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.set, b.set), cmp.Compare(a.key, b.key), cmp.Compare(a.data, b.data))
	})
}
