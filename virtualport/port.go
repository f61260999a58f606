// SPDX-License-Identifier: Apache-2.0

package virtualport

import "github.com/go-virtnet/virtnet/network/schema"

// A Port is the <port> element inside a network, an interface or a port document: properties of the
// port of a Linux bridge.
//
//	<port isolated='yes'/>
type Port struct {
	// Isolated ports do not reach each other, only the host and what is not isolated. Absent is no.
	Isolated schema.YesNo `xml:"isolated,attr,omitempty"`
	schema.Extra
}

// Clone returns a copy that shares nothing with p, nil for nil.
func (p *Port) Clone() *Port {
	if p == nil {
		return nil
	}
	c := *p
	c.Extra = schema.CloneExtra(p.Extra)
	return &c
}
