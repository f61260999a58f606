// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"
	"path"
	"strings"
	"unicode/utf8"
)

// AddVeth makes a pair of virtual Ethernet devices: LINK on this machine, down, and PEER in another network namespace,
// down as well:
//
//	ip link add LINK address MAC mtu MTU type veth peer name PEER address PEERMAC netns NAMESPACE
//	ip link set LINK alias OWNER addrgenmode none
type AddVeth struct {
	Link string
	MAC  MAC
	// Owner is our mark on LINK; the peer carries none, since its namespace is the guest's.
	Owner string
	// MTU of 0 leaves it to the kernel, which takes 1500. It is that of both ends.
	MTU     int
	Peer    string
	PeerMAC MAC
	// Namespace is the file of the network namespace that gets the peer, such as /run/netns/guest or
	// /proc/123/ns/net. It has to be absolute.
	Namespace string
}

// DelVeth removes a pair that AddVeth with the same fields made: ip link del LINK type veth. A link that is no veth or
// has another hardware address counts as missing.
type DelVeth AddVeth

// Check refuses names, addresses and paths that make no sense.
func (o AddVeth) Check() error {
	for _, mac := range []MAC{o.MAC, o.PeerMAC} {
		if mac.IsZero() || mac[0]&1 != 0 {
			return invalid("veth %s: hardware address %s", o.Link, mac)
		}
	}
	return firstError(checkNamespace("veth", o.Link, o.Namespace), checkNames(o.Link, o.Peer), checkMTU(o.MTU), checkOwner(o.Owner))
}

// checkNamespace takes the file of the network namespace that a link is to be in.
func checkNamespace(kind Kind, link, file string) error {
	if !path.IsAbs(file) || path.Clean(file) != file || !utf8.ValidString(file) || strings.ContainsRune(file, 0) {
		return invalid("%s %s: namespace %q is not an absolute path", kind, link, file)
	}
	return nil
}

// Inverse removes the pair.
func (o AddVeth) Inverse() Op { return DelVeth(o) }

// Scope is the link on this machine.
func (o AddVeth) Scope() Scope { return Scope{Links: []string{o.Link}} }

// Holds if there is a veth of that name with that hardware address and owner. The peer is beyond the facts.
func (o AddVeth) Holds(f *Facts) bool {
	l := f.Link(o.Link)
	return l != nil && l.Kind == Veth && l.MAC == o.MAC && l.Owner == o.Owner && (o.MTU == 0 || l.MTU == o.MTU)
}

func (o AddVeth) String() string {
	s := fmt.Sprintf("link add %s address %s", o.Link, o.MAC)
	if o.MTU != 0 {
		s += fmt.Sprintf(" mtu %d", o.MTU)
	}
	return s + fmt.Sprintf(" type veth peer name %s address %s netns %s", o.Peer, o.PeerMAC, o.Namespace)
}

// Check is that of AddVeth.
func (o DelVeth) Check() error { return AddVeth(o).Check() }

// Inverse makes the pair again.
func (o DelVeth) Inverse() Op { return AddVeth(o) }

// Scope is the link on this machine.
func (o DelVeth) Scope() Scope { return AddVeth(o).Scope() }

// Holds if there is no veth of that name and hardware address.
func (o DelVeth) Holds(f *Facts) bool {
	l := f.Link(o.Link)
	return l == nil || l.Kind != Veth || l.MAC != o.MAC
}

func (o DelVeth) String() string { return "link del " + o.Link + " type veth" }
