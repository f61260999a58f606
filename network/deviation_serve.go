// SPDX-License-Identifier: Apache-2.0

package network

import "github.com/go-virtnet/virtnet/network/schema"

// Where the guests of a network are served in another way than by libvirt 11.3.
const (
	// ServerValues corrects that texts, names and paths stand in the configuration of dnsmasq as they are in the document,
	// where a comma splits a TXT record in two, a quote vanishes and a # ends the line: each is one value.
	ServerValues schema.Deviation = "server-values"
	// HostNames corrects that the name of a DHCP host cannot be asked for before the host has a lease.
	HostNames schema.Deviation = "host-names"
	// HostLeases corrects that the number of leases is limited to the addresses in ranges, so that DHCP hosts besides
	// have none if the ranges are full.
	HostLeases schema.Deviation = "host-leases"
	// HostID corrects that the id of an IPv4 host is ignored: the host is known by it as well as by its MAC.
	HostID schema.Deviation = "host-id"
	// LongLease corrects that a lease of more than 2^32 seconds is one of the rest: it never ends.
	LongLease schema.Deviation = "lease-long"
	// Advertised corrects that an IPv6 subnet without DHCP is not advertised where another one has DHCP, or where names
	// are not served, and that one is which is too small for guests to choose addresses in.
	Advertised schema.Deviation = "subnet-advertised"
	// OneTFTP corrects that of several folders for TFTP only the last is served, and that one which is not absolute is looked
	// for in the root folder: such a network is not started.
	OneTFTP schema.Deviation = "tftp-one"
)
