// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/mdlayher/netlink"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/tc"
	"github.com/go-virtnet/virtnet/network/host"
)

// shapedCounts is how many ports are shaped, with the one that is measured.
var shapedCounts = []int{1, 1000}

// BenchmarkShape_a_port gives a port's traffic a limit: the root, two classes and a queue.
func BenchmarkShape_a_port(b *testing.B) {
	for _, count := range shapedCounts {
		b.Run(fmt.Sprintf("ports=%d", count), func(b *testing.B) {
			d := newBed(b)
			queue := d.bestQueue(b)
			limit := host.NewLimit(1000, 5000, 1024)
			shape := func(i int) host.SetShape {
				link := fmt.Sprintf("p%d", i)
				return host.SetShape{Link: link, Shape: host.Shape{Link: link, Egress: limit, Queue: queue}}
			}
			d.addTaps(b, count)
			for i := 1; i < count; i++ {
				require.NoError(b, d.backend.Do(b.Context(), shape(i)))
			}
			own := shape(0)
			compare(b, doing, rawShape(b, index(b, own.Link), limit, string(queue)), work{
				func() error { return d.backend.Do(b.Context(), own) },
				func() error { return d.backend.Do(b.Context(), own.Inverse()) },
			})
		})
	}
}

// bestQueue is the queue that the library chooses on this kernel.
func (d *bed) bestQueue(b *testing.B) host.Queue {
	b.Helper()
	f, err := d.backend.Facts(b.Context(), host.Scope{Shaping: true})
	require.NoError(b, err)
	require.NotEmpty(b, f.Shaping.Queues)
	return f.Shaping.Queues[0]
}

// addTaps makes p0, p1 and so on, until the benchmark ends.
func (d *bed) addTaps(b *testing.B, count int) {
	b.Helper()
	taps := make([]host.AddTap, count)
	for i := range taps {
		taps[i] = host.AddTap{Link: fmt.Sprintf("p%d", i), MAC: host.MAC{0xfe, 0, 0, 0, byte(i >> 8), byte(i)}, Owner: "guest"}
		require.NoError(b, d.backend.Do(b.Context(), taps[i]))
	}
	b.Cleanup(func() {
		inCrowd(b, count, func(i int) error { return d.backend.Do(context.Background(), taps[i].Inverse()) })
	})
}

// rawShape is the messages that shape what a link sends, put together beforehand and sent in one go.
func rawShape(b *testing.B, index int, limit host.Limit, queue string) work {
	b.Helper()
	route := newKernel(b, unix.NETLINK_ROUTE)
	const top, root, whole, rest = 0xffffffff, 0x10000, 0x10001, 0x10002
	htb := func(kind uint16, options []byte) []byte {
		ae := netlink.NewAttributeEncoder()
		ae.Bytes(kind, options)
		encoded, err := ae.Encode()
		require.NoError(b, err)
		return encoded
	}
	class := htb(tcaHTBParms, htbClass(limit.Rate, limit.Ceil, limit.Burst))
	var length []byte // fq_codel and sfq have one of their own
	if queue == "bfifo" {
		length = binary.NativeEndian.AppendUint32(nil, 1<<18)
	}
	glob := make([]byte, 20)
	binary.NativeEndian.PutUint32(glob, 3)
	binary.NativeEndian.PutUint32(glob[4:], 10)
	binary.NativeEndian.PutUint32(glob[8:], 2)
	replace := netlink.Create | netlink.Replace
	var all []byte
	for _, m := range [][]byte{
		trafficMessage(b, unix.RTM_NEWQDISC, netlink.Create|netlink.Excl, index, root, top, "htb", htb(tcaHTBInit, glob)),
		trafficMessage(b, unix.RTM_NEWTCLASS, replace, index, whole, root, "htb", class),
		trafficMessage(b, unix.RTM_NEWTCLASS, replace, index, rest, whole, "htb", class),
		trafficMessage(b, unix.RTM_NEWQDISC, replace|netlink.Acknowledge, index, 0, rest, queue, length),
	} {
		all = append(all, m...)
	}
	remove := trafficMessage(b, unix.RTM_DELQDISC, netlink.Acknowledge, index, 0, top, "htb", nil)
	return work{func() error { return route.do(all) }, func() error { return route.do(remove) }}
}

const (
	tcaHTBParms = 1
	tcaHTBInit  = 2
)

// htbClass is a struct tc_htb_opt.
func htbClass(rate, ceil, burst uint64) []byte {
	const ethernet = 1
	o := make([]byte, 44)
	for i, kilobytes := range []uint64{rate, ceil} {
		o[12*i+1] = ethernet
		binary.NativeEndian.PutUint32(o[12*i+8:], uint32(kilobytes*1000))
	}
	binary.NativeEndian.PutUint32(o[24:], tc.Ticks(burst*1024, rate*1000))
	binary.NativeEndian.PutUint32(o[28:], tc.Ticks(host.UsualBurst(ceil)*1024, ceil*1000))
	binary.NativeEndian.PutUint32(o[32:], 1514)
	return o
}

// trafficMessage is about a queueing discipline or a class of a link.
func trafficMessage(b *testing.B, kind uint16, flags netlink.HeaderFlags, index int, handle, parent uint32, name string, options []byte) []byte {
	b.Helper()
	fixed := make([]byte, 20) // struct tcmsg
	binary.NativeEndian.PutUint32(fixed[8:], handle)
	binary.NativeEndian.PutUint32(fixed[12:], parent)
	m := message(b, kind, flags, fixed, func(ae *netlink.AttributeEncoder) {
		ae.String(unix.TCA_KIND, name)
		if options != nil {
			ae.Bytes(unix.TCA_OPTIONS, options)
		}
	})
	binary.NativeEndian.PutUint16(m[6:], uint16(netlink.Request|flags)) // one answer, to the last
	return setIndex(m, index)
}
