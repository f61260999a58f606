// SPDX-License-Identifier: Apache-2.0

package host

import "context"

// Counters is what has passed a link, as its machine sees it: for a guest's tap the other way round.
type Counters struct {
	Received, Sent Traffic
}

// Swapped is the same seen from the other end of the link.
func (c Counters) Swapped() Counters { return Counters{Received: c.Sent, Sent: c.Received} }

// A Traffic is what has passed in one direction. What is not counted is 0.
type Traffic struct {
	Packets, Bytes, Dropped, Errors uint64
}

// An OVSReader reads what Open vSwitch counts.
type OVSReader interface {
	// OVSCounters returns what has passed a port of Open vSwitch since it was made, as it was counted some seconds ago. A
	// port that is missing wraps fs.ErrNotExist, a machine without Open vSwitch errors.ErrUnsupported.
	OVSCounters(ctx context.Context, link string) (Counters, error)
}
