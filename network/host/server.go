// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// A Server answers the guests of one network: DHCP, DNS, router advertisements and TFTP, as far as the fields ask.
type Server struct {
	// Name identifies the server on the machine, and names its files; it is the network's UUID.
	Name string
	// Link is where it listens, on all addresses the link has. It never listens elsewhere.
	Link string
	// Domain is the DNS domain of the guests; empty if they have none.
	Domain string `json:",omitempty"`
	// LocalDomain keeps questions about Domain from being forwarded.
	LocalDomain bool `json:",omitempty"`
	// DNS is nil if names are not to be served.
	DNS *DNS `json:",omitempty"`
	// Subnets are the networks of the link, in the order of the document.
	Subnets []Subnet
	// NoRouter tells guests of no default route, because the network leads nowhere.
	NoRouter bool `json:",omitempty"`
	// MTU tells guests the size of packets; 0 does not.
	MTU int `json:",omitempty"`
	// MaxLeases is how many leases there can be at a time: 0 as many as there are addresses in ranges and static hosts, and some
	// more, a negative number as many as the server likes.
	MaxLeases int `json:",omitempty"`
	// Verbatim gives names, texts and paths to the server as they are, in whose configuration commas, quotes, backslashes
	// and # mean something; otherwise each is one value, and one that cannot be is refused. No value begins a line
	// of its own in either case.
	Verbatim bool `json:",omitempty"`
	// Options are lines of dnsmasq's configuration, appended as they are.
	Options []string `json:",omitempty"`
}

// DNS is what a server knows of names.
type DNS struct {
	// NoForward keeps every question that cannot be answered here from leaving the machine, unless a forwarder is
	// named for it.
	NoForward bool `json:",omitempty"`
	// KeepPlainNames does the same for names without a dot.
	KeepPlainNames bool `json:",omitempty"`
	// LeasedNames knows the name of a static host only while the host has a lease; otherwise it is known from the start.
	LeasedNames bool        `json:",omitempty"`
	Forwarders  []Forwarder `json:",omitempty"`
	// LocalZones are networks whose reverse questions are not forwarded.
	LocalZones []netip.Prefix `json:",omitempty"`
	Hosts      []NameRecord   `json:",omitempty"`
	TXT        []TXTRecord    `json:",omitempty"`
	SRV        []SRVRecord    `json:",omitempty"`
}

// A Forwarder is where questions go that are not answered here.
type Forwarder struct {
	// Domain limits it to names below; empty is all names, and the machine's own resolvers are then not asked.
	Domain string `json:",omitempty"`
	// Addr is not valid for those who are asked about all other names: forwarders without a domain, or else the machine's own
	// resolvers.
	Addr netip.Addr `json:",omitzero"`
}

// A NameRecord gives an address its names.
type NameRecord struct {
	Addr  netip.Addr
	Names []string
}

// A TXTRecord is a DNS text record.
type TXTRecord struct{ Name, Value string }

// An SRVRecord is a DNS service record. Without a Target it says that there is no such service.
type SRVRecord struct {
	Service, Protocol, Domain string
	Target                    string `json:",omitempty"`
	// Port, Priority and Weight of 0 are left to the server's defaults: 1, 0 and 0.
	Port, Priority, Weight int `json:",omitempty"`
}

// A Subnet is one network of a link and what is handed out in it.
type Subnet struct {
	// Prefix is the gateway's address with the length of the network.
	Prefix netip.Prefix
	// Ranges and Hosts ask for DHCP; a subnet with neither has none.
	Ranges []Range      `json:",omitempty"`
	Hosts  []StaticHost `json:",omitempty"`
	// BootFile and BootServer are for network boot; an invalid BootServer is the gateway.
	BootFile   string     `json:",omitempty"`
	BootServer netip.Addr `json:",omitzero"`
	// TFTPRoot is the folder that is served by TFTP; empty is none. dnsmasq has one, and takes the last.
	TFTPRoot string `json:",omitempty"`
	// Silent does not advertise the prefix of an IPv6 subnet in which nothing is handed out. In one longer than 64 bits guests
	// cannot choose addresses.
	Silent bool `json:",omitempty"`
}

// HasDHCP reports whether addresses are handed out in the subnet.
func (s *Subnet) HasDHCP() bool { return len(s.Ranges)+len(s.Hosts) > 0 }

// A LeaseTime is for how long an address is handed out. The zero LeaseTime leaves it to the server; Infinite is for
// ever.
type LeaseTime time.Duration

// Infinite is a lease that never ends.
const Infinite LeaseTime = -1

// A Range is a range of addresses handed out by DHCP, both ends included.
type Range struct {
	Start, End netip.Addr
	Lease      LeaseTime `json:",omitempty"`
}

// A StaticHost always gets the same address. It is known by its hardware address or, with DHCPv6, its DUID, or else by
// the name it gives.
type StaticHost struct {
	MAC   MAC    `json:",omitzero"`
	DUID  string `json:",omitempty"`
	Name  string `json:",omitempty"`
	Addr  netip.Addr
	Lease LeaseTime `json:",omitempty"`
}

// A Lease is an address that a server has given out.
type Lease struct {
	Addr netip.Addr
	// MAC is zero if the guest was known by something else.
	MAC MAC `json:",omitzero"`
	// Hostname is what the guest calls itself; empty if it did not say.
	Hostname string `json:",omitempty"`
	// ClientID is the DHCP client identifier of IPv4, or the DUID of IPv6, as hexadecimal bytes with colons.
	ClientID string `json:",omitempty"`
	// IAID is the identity association of IPv6.
	IAID uint32 `json:",omitempty"`
	// Temporary marks a temporary IPv6 address.
	Temporary bool `json:",omitempty"`
	// Expires is zero for a lease that never ends.
	Expires time.Time `json:",omitzero"`
}

// String is the server in one line.
func (s Server) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s on %s", s.Name, s.Link)
	for _, subnet := range s.Subnets {
		if subnet.HasDHCP() {
			fmt.Fprintf(&b, " dhcp %s", subnet.Prefix)
		}
		for _, r := range subnet.Ranges {
			fmt.Fprintf(&b, " %s-%s", r.Start, r.End)
		}
		if n := len(subnet.Hosts); n > 0 {
			fmt.Fprintf(&b, " hosts %d", n)
		}
		if subnet.TFTPRoot != "" {
			fmt.Fprintf(&b, " tftp %q", subnet.TFTPRoot)
		}
	}
	if s.DNS != nil {
		b.WriteString(" dns")
	}
	if s.Domain != "" {
		fmt.Fprintf(&b, " domain %q", s.Domain)
	}
	return b.String()
}
