// SPDX-License-Identifier: Apache-2.0

package host

import "slices"

// A Repair is a way to make the checksums right of what DHCP servers of the machine answer. The kernel leaves them to a
// network card; where none comes, as on a veth pair or a device that a guest shares memory with, a client that reads packets
// itself takes them for damaged.
type Repair string

// The repairs, the best first.
const (
	// Fill has the bridge fill them in, of IPv4 and IPv6 and whatever is behind it: [FillChecksums].
	Fill Repair = "csum"
	// Clear has answers leave without one by veth pairs, which only IPv4 allows: Filter.DHCP.
	Clear Repair = "nft"
)

// FillChecksums fills in the checksums of what a link sends to clients of DHCP and DHCPv6, as the kernel cuts it up for a card
// that cannot:
//
//	tc qdisc add dev LINK clsact
//	tc filter add dev LINK egress bpf bytecode "udp dst port 68 or 546" action csum udp continue
//
// Filters that others have there stay, and are asked as before. A link that is missing is fs.ErrNotExist, one that does it
// already fs.ErrExist; a kernel that lacks what it takes is errors.ErrUnsupported.
type FillChecksums struct{ Link string }

// UnfillChecksums has a link send them as they are again: tc filter del dev LINK egress. A link that does so is fs.ErrNotExist.
type UnfillChecksums FillChecksums

// Check refuses what is no name.
func (o FillChecksums) Check() error { return CheckName(o.Link) }

// Inverse leaves them as they are.
func (o FillChecksums) Inverse() Op { return UnfillChecksums(o) }

// Scope is whether the link fills them in.
func (o FillChecksums) Scope() Scope {
	return Scope{Links: []string{o.Link}, Filled: []string{o.Link}}
}

// Holds if the link fills them in.
func (o FillChecksums) Holds(f *Facts) bool { return slices.Contains(f.Filled, o.Link) }

func (o FillChecksums) String() string {
	return "tc filter add dev " + o.Link + " egress udp dport { 68, 546 } action csum"
}

// Check is that of FillChecksums.
func (o UnfillChecksums) Check() error { return FillChecksums(o).Check() }

// Inverse fills them in again.
func (o UnfillChecksums) Inverse() Op { return FillChecksums(o) }

// Scope is that of FillChecksums.
func (o UnfillChecksums) Scope() Scope { return FillChecksums(o).Scope() }

// Holds if the link does not fill them in.
func (o UnfillChecksums) Holds(f *Facts) bool { return !FillChecksums(o).Holds(f) }

func (o UnfillChecksums) String() string {
	return "tc filter del dev " + o.Link + " egress udp dport { 68, 546 } action csum"
}
