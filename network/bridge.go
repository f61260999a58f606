// SPDX-License-Identifier: Apache-2.0

package network

import (
	"encoding/xml"
	"slices"

	"github.com/go-virtnet/virtnet/network/schema"
)

// A Bridge is a <bridge> element: the Linux bridge of the network, of its own making or, in mode bridge,
// one of the host.
//
//	<bridge name='virbr0' zone='trusted' stp='on' delay='0' macTableManager='libvirt'/>
type Bridge struct {
	// Name is the device. Where the network makes its bridge itself, an empty Name leaves it to the
	// library, and a %d in it stands for a number that makes it free.
	Name string `xml:"name,attr,omitempty"`
	// Zone is the zone of firewalld that the bridge is put in: firewalld has to run and to have it. Empty is the zone of libvirt
	// if firewalld has that, and none in mode open.
	Zone string `xml:"zone,attr,omitempty"`
	// STP switches the spanning tree protocol. Absent is on.
	STP schema.OnOff `xml:"stp,attr,omitempty" doc:"blank,lax"`
	// Delay is the forward delay in seconds. Absent is 0.
	Delay schema.Number `xml:"delay,attr,omitempty" doc:"blank"`
	// MACTableManager is who fills the forwarding table. Absent is the kernel.
	MACTableManager schema.MACTableManager `xml:"macTableManager,attr,omitempty" doc:"blank"`
	schema.Extra
}

// An MTU is an <mtu> element: the largest packet on the network, in bytes. Absent or 0 leaves it to the
// kernel.
//
//	<mtu size='9000'/>
type MTU struct {
	Size schema.Number32 `xml:"size,attr,omitempty" doc:"blank"`
	schema.Extra
}

// A MAC is a <mac> element: the hardware address of the bridge.
//
//	<mac address='52:54:00:0a:0b:0c'/>
type MAC struct {
	// Address that is absent is left to the library. One of zeros only, which a document can give and no device can
	// have, stands in Extra.
	Address schema.MAC `xml:"address,attr" doc:"blank,lax,zero"`
	schema.Extra
}

// isGiven reports whether the document has an address, be it of zeros only.
func (m *MAC) isGiven() bool { return m != nil && (!m.Address.IsZero() || m.zeros() != nil) }

// zeros returns the address of zeros only that the document gives, nil if it does not.
func (m *MAC) zeros() *xml.Attr {
	at := slices.IndexFunc(m.Attrs, func(a xml.Attr) bool { return a.Name == xml.Name{Local: "address"} })
	if at < 0 || !m.Address.IsZero() {
		return nil
	}
	return &m.Attrs[at]
}
