// SPDX-License-Identifier: Apache-2.0

package domainiface

import "github.com/go-virtnet/virtnet/network/schema"

// A PortForward is a <portForward> element: ports of the host that lead to the guest (user and vhostuser with the
// backend passt). Without a range it is all of them.
//
//	<portForward proto='tcp' address='192.0.2.1'>
//	  <range start='2022' to='22'/>
//	</portForward>
type PortForward struct {
	// Proto must be given.
	Proto Proto `xml:"proto,attr,omitempty"`
	// Address and Dev limit it to one address and one device of the host. Absent is all of them.
	Address schema.Addr `xml:"address,attr"`
	Dev     schema.Text `xml:"dev,attr,omitempty"`
	Ranges  []PortRange `xml:"range"`
	schema.Extra
}

// A PortRange is a <range> element: the ports from Start to End lead to those from To on.
//
//	<range start='8000' end='8010' to='80'/>
//	<range start='8005' exclude='yes'/>
type PortRange struct {
	// Start is the first port, and End, when given, the last.
	Start schema.Number `xml:"start,attr,omitempty"`
	End   schema.Number `xml:"end,attr,omitempty"`
	// To is the first port of the guest. Absent is Start.
	To schema.Number `xml:"to,attr,omitempty"`
	// Exclude that is yes leaves the ports out. Absent is no.
	Exclude schema.YesNo `xml:"exclude,attr,omitempty"`
	schema.Extra
}

// A Proto is a protocol that has ports. The zero Proto is absent.
type Proto uint8

// The protocols.
const (
	TCP Proto = iota + 1
	UDPProto
)

var protoWords = []string{"", "tcp", "udp"}

// String returns the word of the document, "" when absent.
func (p Proto) String() string { return schema.Word(protoWords, p) }

// MarshalText returns the same text as String.
func (p Proto) MarshalText() ([]byte, error) { return schema.MarshalWord(protoWords, p) }

// UnmarshalText accepts the two words of the document.
func (p *Proto) UnmarshalText(text []byte) error { return schema.UnmarshalWord(protoWords, text, p) }

func (p *PortForward) check(c *schema.Check) {
	c.Rule(p.Proto != 0, "portforward-proto", "@proto", "a <portForward> needs a proto: tcp or udp")
	for i := range p.Ranges {
		c.At("range", i, func() { p.Ranges[i].check(c) })
	}
}

func (r *PortRange) check(c *schema.Check) {
	c.Rule(r.Start.Given() || !r.End.Given() && !r.To.Given() && r.Exclude == 0, "portforward-start", "@start", "a range needs a start")
	for _, n := range []struct {
		where string
		port  schema.Number
	}{{"@start", r.Start}, {"@end", r.End}, {"@to", r.To}} {
		if c.Rule(!n.port.Given() || n.port.Uint() > 0 && n.port.Uint() <= maxUint32, "portforward-number", n.where, "%s is not the number of a port: from 1 on", n.port) {
			c.Deviates(n.port.Uint() <= maxPort, ForwardedPort, n.where, "%s is more than %d", n.port, maxPort)
		}
	}
}

// maxPort is the largest number of a port.
const maxPort = 1<<16 - 1

// normalize drops ranges that say nothing.
func (p *PortForward) normalize() {
	kept := p.Ranges[:0]
	for _, r := range p.Ranges {
		if r.Start.Given() || !schema.IsBare(r.Extra) {
			kept = append(kept, r)
		}
	}
	clear(p.Ranges[len(kept):])
	p.Ranges = kept
}
