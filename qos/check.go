// SPDX-License-Identifier: Apache-2.0

package qos

import (
	"fmt"

	"github.com/go-virtnet/virtnet/network/schema"
)

// The rules on bandwidths that libvirt 11.3 does not have.
const (
	// PeakBelowAverage refuses a peak that is lower than the average: bursts would be slower than what holds
	// over time.
	PeakBelowAverage schema.Deviation = "rate-peak-average"
	// FloorAboveAverage refuses to guarantee more than is allowed.
	FloorAboveAverage schema.Deviation = "rate-floor-average"
	// ZeroAverage refuses a rate of zero, which libvirt reads as no limit at all.
	ZeroAverage schema.Deviation = "rate-average-zero"
	// LateLimit holds port groups and ports to the limits that libvirt checks only when a guest is started.
	LateLimit schema.Deviation = "rate-limit-late"
)

// The largest values that traffic control can express.
const (
	MaxRate  = 1 << 54 // kilobytes per second
	MaxBurst = 1<<22 - 1
)

// A Context says what a <bandwidth> may have where it stands. The zero Context is that of a network.
type Context struct {
	Floor      bool // the inbound direction may have a floor
	ClassID    bool // the element may have a class
	LateLimits bool // libvirt checks the limits only when a guest is started
}

// Check checks b, the element that c stands in.
func (b *Bandwidth) Check(c *schema.Check, at Context) {
	if !at.ClassID {
		c.Rule(!b.ClassID.Given(), "bandwidth-class", "@classID", "a class can be given in a <networkport> only")
	}
	if b.Inbound != nil {
		c.In("inbound", func() { b.Inbound.check(c, at, at.Floor) })
	}
	if b.Outbound != nil {
		c.In("outbound", func() { b.Outbound.check(c, at, false) })
	}
}

func (r *Rate) check(c *schema.Check, at Context, floor bool) {
	c.Rule(r.Average.Given() || r.Floor.Given(), "rate-average", "", "a rate needs an average or a floor")
	if !r.Average.Given() {
		c.Rule(!r.Peak.Given(), "rate-peak", "@peak", "a peak needs an average")
		c.Rule(!r.Burst.Given(), "rate-burst", "@burst", "a burst needs an average")
	}
	c.Rule(floor || !r.Floor.Given(), "rate-floor", "@floor",
		"a floor can be given only in the inbound direction of an interface on a network")
	average, peak := r.Average.Uint(), r.Peak.Uint()
	c.Deviates(average > 0 || r.Floor.Uint() > 0 || !r.Average.Given(), ZeroAverage, "@average",
		"an average of 0 is no limit; leave the direction out instead")
	c.Deviates(peak == 0 || peak >= average, PeakBelowAverage, "@peak", "the peak is lower than the average")
	c.Deviates(r.Floor.Uint() <= average || !r.Average.Given(), FloorAboveAverage, "@floor", "the floor is higher than the average")
	r.checkLimit(c, at, "@average", r.Average, MaxRate)
	r.checkLimit(c, at, "@peak", r.Peak, MaxRate)
	r.checkLimit(c, at, "@floor", r.Floor, MaxRate)
	r.checkLimit(c, at, "@burst", r.Burst, MaxBurst)
}

// Possible reports whether traffic control can express r; nil is no limit.
func (r *Rate) Possible() bool {
	return r == nil || max(r.Average.Uint(), r.Peak.Uint(), r.Floor.Uint()) <= MaxRate && r.Burst.Uint() <= MaxBurst
}

func (r *Rate) checkLimit(c *schema.Check, at Context, where string, n schema.Number, most uint64) {
	if n.Uint() <= most {
		return
	}
	msg := fmt.Sprintf("%d is more than the %d that are possible", n.Uint(), most)
	if at.LateLimits {
		c.Deviates(false, LateLimit, where, "%s", msg)
	} else {
		c.Rule(false, "rate-limit", where, "%s", msg)
	}
}
