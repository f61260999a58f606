// SPDX-License-Identifier: Apache-2.0

package host

import (
	"bytes"
	"cmp"
	"fmt"
)

// A Station is a hardware address that somebody said is behind a port of a bridge, where the bridge would have to learn it
// otherwise: a line of "bridge fdb show static".
type Station struct {
	// Link is the port.
	Link string
	MAC  MAC
}

// String is the station in one line.
func (s Station) String() string { return fmt.Sprintf("%s dev %s", s.MAC, s.Link) }

func compareStations(a, b Station) int {
	return cmp.Or(cmp.Compare(a.Link, b.Link), bytes.Compare(a.MAC[:], b.MAC[:]))
}
