// SPDX-License-Identifier: Apache-2.0

package domainiface

import "github.com/go-virtnet/virtnet/network/schema"

// A Tune is a <tune> element: the memory that packets of the guest may fill on the host, in bytes.
//
//	<tune>
//	  <sndbuf>1600</sndbuf>
//	</tune>
type Tune struct {
	Sndbuf schema.Number `xml:"sndbuf"`
	schema.Extra
}

// An MTU is an <mtu> element: the largest packet of the device, in bytes. Absent and 0 are that of the
// network or the bridge.
//
//	<mtu size='9000'/>
type MTU struct {
	Size schema.Number `xml:"size,attr,omitempty" doc:"blank"`
	schema.Extra
}

// A Coalesce is a <coalesce> element: how packets to the guest are gathered before it is told.
//
//	<coalesce>
//	  <rx>
//	    <frames max='32'/>
//	  </rx>
//	</coalesce>
type Coalesce struct {
	RX *CoalesceRX `xml:"rx" doc:"first"`
	schema.Extra
}

// A CoalesceRX is the <rx> element of a [Coalesce]: packets to the guest.
//
//	<rx>
//	  <frames max='32'/>
//	</rx>
type CoalesceRX struct {
	Frames *Frames `xml:"frames" doc:"first"`
	schema.Extra
}

// Frames is a <frames> element: how many packets are gathered at most. Absent and 0 are none.
//
//	<frames max='32'/>
type Frames struct {
	Max schema.Number `xml:"max,attr,omitempty" doc:"blank"`
	schema.Extra
}

// The bounds of what a device can send, in bytes.
const (
	minMTU = 68
	maxMTU = 1<<16 - 1
)

func (m *MTU) check(c *schema.Check) {
	size := m.Size.Uint()
	if !c.Rule(size <= maxUint32, "mtu-size", "@size", "%s is more than %d", m.Size, uint32(maxUint32)) {
		return
	}
	c.Deviates(size == 0 || size >= minMTU && size <= maxMTU, MTURange, "@size",
		"%s is not the size of a packet: %d to %d bytes", m.Size, minMTU, maxMTU)
}
