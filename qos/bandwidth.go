// SPDX-License-Identifier: Apache-2.0

package qos

import "github.com/go-virtnet/virtnet/network/schema"

// A Bandwidth is a <bandwidth> element: limits on the traffic of a network, a port group, an interface
// or a port. The directions are the guest's: inbound is what the guest receives. A nil direction is
// not limited.
//
//	<bandwidth>
//	  <inbound average='1000' peak='5000' burst='1024'/>
//	  <outbound average='128' peak='256' burst='256'/>
//	</bandwidth>
type Bandwidth struct {
	// ClassID is the traffic class that a port with a floor has been given on its network. It exists
	// in port documents only.
	ClassID  schema.Number `xml:"classID,attr,omitempty"`
	Inbound  *Rate         `xml:"inbound" doc:"anyns"`
	Outbound *Rate         `xml:"outbound" doc:"anyns"`
	schema.Extra
}

// A Rate is an <inbound> or <outbound> element: the limits of one direction. Rates are in kilobytes
// per second, of 1000 bytes; Burst is in kibibytes, of 1024.
//
//	<inbound average='1000' peak='5000' floor='200' burst='1024'/>
type Rate struct {
	// Average is the rate that holds over time. Absent is no limit, and is possible only with a Floor.
	Average schema.Number `xml:"average,attr,omitempty"`
	// Peak is the rate at which a burst may pass. Absent is the Average.
	Peak schema.Number `xml:"peak,attr,omitempty"`
	// Floor is what is guaranteed to this one guest, inbound on its network.
	Floor schema.Number `xml:"floor,attr,omitempty"`
	// Burst is how much may pass at Peak rate, in kibibytes.
	Burst schema.Number `xml:"burst,attr,omitempty"`
	schema.Extra
}

// Clone returns a copy that shares nothing with b, nil for nil.
func (b *Bandwidth) Clone() *Bandwidth {
	if b == nil {
		return nil
	}
	c := *b
	c.Inbound, c.Outbound, c.Extra = b.Inbound.Clone(), b.Outbound.Clone(), schema.CloneExtra(b.Extra)
	return &c
}

// With returns b, which may be nil, with other directions: a nil one stays, and one that says neither an average nor a floor
// is taken away. What limits nothing is nil.
func (b *Bandwidth) With(inbound, outbound *Rate) *Bandwidth {
	c := b.Clone()
	if c == nil {
		c = new(Bandwidth)
	}
	for _, d := range []struct {
		to   **Rate
		from *Rate
	}{{&c.Inbound, inbound}, {&c.Outbound, outbound}} {
		switch {
		case d.from == nil:
		case d.from.Average.Uint() == 0 && d.from.Floor.Uint() == 0:
			*d.to = nil
		default:
			*d.to = d.from.Clone()
		}
	}
	c.ClassID = schema.Number{}
	if c.Inbound == nil && c.Outbound == nil && schema.IsBare(c.Extra) {
		return nil
	}
	return c
}

// Clone returns a copy that shares nothing with r, nil for nil.
func (r *Rate) Clone() *Rate {
	if r == nil {
		return nil
	}
	c := *r
	c.Extra = schema.CloneExtra(r.Extra)
	return &c
}
