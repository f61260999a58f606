// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"github.com/go-virtnet/virtnet/internal/tc"
	"github.com/go-virtnet/virtnet/network/host"
)

// What waits in a queue is sent within a tenth of a second at the rate that its class is sure of. A queue is not shorter
// than one packet of the largest size, which a guest may leave to the host to cut up; and if the class may have more than
// its rate, it is long enough for three of them, or a tenth of a second at the ceiling, so that it can.
const (
	perWait       = 100 // bytes that a rate of 1 kB/s sends in a tenth of a second
	largestPacket = 1<<16 + 4<<10
	burstOfThree  = 3 << 16
	longestQueue  = 64 << 20
)

// queueBytes is how many bytes wait in a class of that rate and ceiling.
func queueBytes(rate, ceil uint64) uint64 {
	return min(max(rate*perWait, min(ceil*perWait, burstOfThree), largestPacket), longestQueue)
}

// queueOf is the queue of a class, of that rate and ceiling in kilobytes per second, that is bounded by [queueBytes].
func queueOf(kind host.Queue, rate, ceil uint64) tc.Queue {
	bytes := queueBytes(rate, ceil)
	q := tc.Queue{Kind: string(kind)}
	switch kind {
	case host.BFIFO:
		q.Limit = uint32(bytes)
	case host.SFQ:
		// More than 127 packets are not possible.
		q.Limit = uint32(min(bytes/frame, 127))
	case host.FQCoDel:
		// The kernel counts what packets take in memory, some half more than their bytes. As many flows take turns here, and
		// each of them is kept short, there may be more in all.
		q.Limit = uint32(min(4*bytes, 32<<20))
		// One frame has to be waited for, however long it takes.
		q.Target = uint32(max(usualTarget, frame*1500/max(rate, 1)+targetStep-1)) / targetStep * targetStep
	}
	return q
}

const (
	// frame is the usual largest frame of Ethernet.
	frame = 1514
	// usualTarget is the wait that CoDel aims at, 5 milliseconds, in steps that the kernel keeps; see [tc.Queue].
	usualTarget = 39 * targetStep
	targetStep  = 128
)

// queues are those of all classes of a tree. Class 1:2 may expect what nobody has been promised yet, however much that is.
func (t *tree) queues() map[tc.Handle]tc.Queue {
	all := map[tc.Handle]tc.Queue{rest: queueOf(t.queue, t.limit.Rate, t.limit.Ceil)}
	for _, c := range t.classes {
		all[tc.MakeHandle(1, c.ID)] = queueOf(t.queue, c.Rate, t.limit.Ceil)
	}
	return all
}
