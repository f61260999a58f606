// SPDX-License-Identifier: Apache-2.0

//go:build linux

package tc

import (
	"encoding/binary"
	"math"

	"github.com/mdlayher/netlink"
)

// Police drops what comes in faster than Rate, in bytes per second; Burst is how much may come at once, as the time that
// takes, see [Ticks].
type Police struct {
	Rate  uint64
	Burst uint32
}

// The attributes of the action police, and struct tc_police: two rates of 12 bytes, the number of each last.
const (
	policeParms  = 1
	policeTable  = 2
	policeRate64 = 8

	policeAction = 4
	policeBurst  = 12
	policeMTU    = 16
	policeRate   = 20
	policeSize   = 56

	shot = 2 // TC_ACT_SHOT
)

// AddPolice drops what comes in by a link too fast.
func (c *Conn) AddPolice(index int, p Police, bpf bool) error {
	return c.addAction(index, "police", bpf, func(ae *netlink.AttributeEncoder) {
		parms := make([]byte, policeSize)
		binary.NativeEndian.PutUint32(parms[policeAction:], shot)
		binary.NativeEndian.PutUint32(parms[policeBurst:], p.Burst)
		// What comes in may be many segments in one.
		binary.NativeEndian.PutUint32(parms[policeMTU:], math.MaxUint32)
		parms[policeRate], parms[policeRate+1] = tableCell, ethernet
		binary.NativeEndian.PutUint32(parms[policeRate+8:], short(p.Rate))
		ae.Bytes(policeParms, parms)
		ae.Bytes(policeTable, make([]byte, tableSize))
		if p.Rate > math.MaxUint32 {
			ae.Uint64(policeRate64, p.Rate)
		}
	})
}

// The kernel wants a table of times to be there, and does not look into it.
const (
	tableSize = 1024
	tableCell = 3
)

func parsePolice(b []byte, f *Filter) error {
	return attributes(b, func(attribute uint16, b []byte) error {
		switch attribute {
		case policeParms:
			f.Police = Police{Rate: max(f.Police.Rate, uint64(field(b, policeRate+8))), Burst: field(b, policeBurst)}
			if field(b, policeAction) != shot {
				f.Other = "action police"
			}
		case policeRate64:
			f.Police.Rate = long(b)
		}
		return nil
	})
}
