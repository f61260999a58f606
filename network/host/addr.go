// SPDX-License-Identifier: Apache-2.0

package host

import "net/netip"

// An Addr is an IP address of a link as it was seen. IPv6 addresses that the kernel makes by itself, link-local ones and
// those from router advertisements, are not facts: they come and go without anybody's doing.
type Addr struct {
	Link string
	// Prefix is the address itself with the length of its network.
	Prefix netip.Prefix
}

// String is the address and its link.
func (a Addr) String() string { return a.Prefix.String() + " dev " + a.Link }

// AddAddr gives a link an address: ip addr add PREFIX dev LINK, for IPv4 with "broadcast +", for IPv6 with "nodad", as
// it is the address of a gateway that nobody else may have. An IPv6 address on a link whose disable_ipv6 is 1 is
// fs.ErrPermission, and on one with an MTU below 1280 fs.ErrInvalid.
type AddAddr struct {
	Link string
	// Prefix is the address itself with the length of its network, such as 192.168.122.1/24.
	Prefix netip.Prefix
}

// DelAddr takes an address from a link: ip addr del PREFIX dev LINK. The kernel takes more with the first IPv4 address of
// a network, namely the other addresses of that network unless the link's promote_secondaries is 1, and with the last
// IPv4 address all IPv4 routes of the link. A plan that is taken back in the opposite order does not meet this.
type DelAddr AddAddr

// Check refuses what is no address.
func (o AddAddr) Check() error {
	if a := o.Prefix.Addr(); !o.Prefix.IsValid() || a.Is4In6() || a.IsUnspecified() || a.IsMulticast() {
		return invalid("address %s of %s", o.Prefix, o.Link)
	}
	return CheckName(o.Link)
}

// Inverse takes the address away.
func (o AddAddr) Inverse() Op { return DelAddr(o) }

// Scope is the link.
func (o AddAddr) Scope() Scope { return Scope{Links: []string{o.Link}} }

// Holds if the link has the address.
func (o AddAddr) Holds(f *Facts) bool { return f.HasAddr(o.Link, o.Prefix) }

func (o AddAddr) String() string { return "addr add " + o.Prefix.String() + " dev " + o.Link }

// Check is that of AddAddr.
func (o DelAddr) Check() error { return AddAddr(o).Check() }

// Inverse gives the address again.
func (o DelAddr) Inverse() Op { return AddAddr(o) }

// Scope is the link.
func (o DelAddr) Scope() Scope { return AddAddr(o).Scope() }

// Holds if the link does not have the address.
func (o DelAddr) Holds(f *Facts) bool { return !f.HasAddr(o.Link, o.Prefix) }

func (o DelAddr) String() string { return "addr del " + o.Prefix.String() + " dev " + o.Link }
