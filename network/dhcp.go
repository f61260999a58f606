// SPDX-License-Identifier: Apache-2.0

package network

import (
	"math"
	"time"

	"github.com/go-virtnet/virtnet/network/schema"
)

// A DHCP is a <dhcp> element: the addresses that guests get from the network.
//
//	<dhcp>
//	  <range start='192.168.122.2' end='192.168.122.254'/>
//	  <host mac='52:54:00:00:00:01' name='web' ip='192.168.122.10'/>
//	  <bootp file='pxelinux.0' server='192.168.122.1'/>
//	</dhcp>
type DHCP struct {
	Ranges []Range `xml:"range" doc:"anyns"`
	Hosts  []Host  `xml:"host" doc:"anyns"`
	Bootp  *Bootp  `xml:"bootp" doc:"anyns"`
	schema.Extra
}

// A Range is a <range> of addresses handed out by DHCP, both ends included. A nil Lease leaves the time
// to the server.
//
//	<range start='192.168.122.2' end='192.168.122.254'/>
type Range struct {
	Start schema.Addr `xml:"start,attr"`
	End   schema.Addr `xml:"end,attr"`
	Lease *Lease      `xml:"lease" doc:"anyns"`
	schema.Extra
}

// A Host is a <host> element inside <dhcp>: the address and the name that one guest gets. It is known by
// its MAC, its Name or, with IPv6, its ID.
//
//	<host mac='52:54:00:00:00:01' name='web' ip='192.168.122.10'>
//	  <lease expiry='1' unit='hours'/>
//	</host>
type Host struct {
	MAC  schema.MACText `xml:"mac,attr,omitempty"`
	ID   schema.Text    `xml:"id,attr,omitempty"` // the DUID of a DHCPv6 client
	Name schema.Text    `xml:"name,attr,omitempty"`
	IP   schema.Addr    `xml:"ip,attr"`
	// Lease is that of this guest alone; nil leaves the time to the server.
	Lease *Lease `xml:"lease" doc:"anyns"`
	schema.Extra
}

// A Lease is a <lease> element: how long an address is lent.
//
//	<lease expiry='12' unit='hours'/>
type Lease struct {
	// Expiry is counted in Unit. 0 is for ever; a Lease without Expiry says nothing.
	Expiry schema.CNumber `xml:"expiry,attr,omitempty"`
	// Unit is minutes when absent.
	Unit LeaseUnit `xml:"unit,attr,omitempty"`
	schema.Extra
}

// A LeaseUnit is what a [Lease] is counted in. The zero LeaseUnit is absent, which means minutes.
type LeaseUnit uint8

// The units.
const (
	Seconds LeaseUnit = iota + 1
	Minutes
	Hours
)

var leaseUnitWords = []string{"", "seconds", "minutes", "hours"}

// String returns the word of the document, "" when absent.
func (u LeaseUnit) String() string { return schema.Word(leaseUnitWords, u) }

// MarshalText returns the same text as String.
func (u LeaseUnit) MarshalText() ([]byte, error) { return schema.MarshalWord(leaseUnitWords, u) }

// UnmarshalText accepts the three words of the document.
func (u *LeaseUnit) UnmarshalText(text []byte) error {
	return schema.UnmarshalWord(leaseUnitWords, text, u)
}

// Time returns how long the address is lent. given is false when the document leaves it to the server;
// 0 is for ever, and so is more than a Duration can express, 292 years.
func (l *Lease) Time() (d time.Duration, given bool) {
	if l == nil || !l.Expiry.Given() {
		return 0, false
	}
	unit := time.Minute
	switch l.Unit {
	case Seconds:
		unit = time.Second
	case Hours:
		unit = time.Hour
	}
	if l.Expiry.Uint() > uint64(math.MaxInt64/unit) {
		return 0, true
	}
	return time.Duration(l.Expiry.Uint()) * unit, true
}

// A Bootp is a <bootp> element: what a guest boots from the network. A Server that is absent is the
// network itself.
//
//	<bootp file='pxelinux.0' server='192.168.122.1'/>
type Bootp struct {
	File   schema.Text `xml:"file,attr,omitempty"`
	Server schema.Addr `xml:"server,attr"`
	schema.Extra
}
