// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/mdlayher/netlink"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
)

// The benchmarks of this file are about what is taken away in bulk, or with the kernel's part left for later.

// discarding has the networks of the bed stopped, and the ports taken away, with the kernel's part left for later.
func (d *bed) discarding(b *testing.B) {
	b.Helper()
	nets, err := network.Config{Discard: true}.Open(b.Context(), d.backend, d.store)
	require.NoError(b, err)
	d.nets = nets
}

// settle waits for what was left for later.
func (d *bed) settle() error { return host.Settle(context.Background(), d.backend) }

// BenchmarkStop_discarding stops a NAT network for its guests.
func BenchmarkStop_discarding(b *testing.B) {
	for _, dhcp := range []bool{true, false} {
		for _, count := range []int{0, 50} {
			b.Run(fmt.Sprintf("dhcp=%t/networks=%d", dhcp, count), func(b *testing.B) {
				d := newBed(b)
				d.fill(b, count)
				d.define(b, natNetwork(b, 0, dhcp))
				d.discarding(b)
				besideLibvirt9(b, libvirtStop, d.start0, d.stop0)
			})
		}
	}
}

// start0 and stop0 are the work of one network.
func (d *bed) start0() error {
	if err := d.settle(); err != nil {
		return err
	}
	return d.nets.Start(context.Background(), "net0")
}

func (d *bed) stop0() error { return d.nets.Stop(context.Background(), "net0") }

// BenchmarkStopMany stops networks in one call, and BenchmarkStopMany_discarding for their guests.
func BenchmarkStopMany(b *testing.B)            { benchmarkStopMany(b, false) }
func BenchmarkStopMany_discarding(b *testing.B) { benchmarkStopMany(b, true) }

func benchmarkStopMany(b *testing.B, discarding bool) {
	b.Run(fmt.Sprintf("dhcp=true/networks=%d", bulk), func(b *testing.B) {
		d := newBed(b)
		names := d.defineBulk(b)
		if discarding {
			d.discarding(b)
		}
		start := func() error {
			if err := d.settle(); err != nil {
				return err
			}
			return d.nets.StartMany(b.Context(), names...)
		}
		besideLibvirt9(b, libvirtStops, start, func() error { return d.nets.StopMany(b.Context(), names...) })
	})
}

// besideLibvirt9 undoes something, and reports how many times faster that is than libvirt was.
func besideLibvirt9(b *testing.B, theirs time.Duration, do, undo func() error) {
	b.Helper()
	var took []time.Duration
	for b.Loop() {
		took = append(took, work{do, undo}.time(b, undoing))
	}
	reportBesideLibvirt(b, took, theirs)
}

// BenchmarkDetach_logically takes a guest's device out of its bridge and down, beside the one message that does so.
func BenchmarkDetach_logically(b *testing.B) {
	for _, count := range portCounts {
		b.Run(fmt.Sprintf("tap/ports=%d", count), func(b *testing.B) {
			d := newBed(b)
			d.start(b, natNetwork(b, 0, false))
			d.discarding(b)
			all := newGuests(b, d, kinds[0])
			all.add(count - 1)
			pairs := takeTurns(b, undoing, logically(b, rawTap(b, all.record())), all.discarded())
			b.ReportMetric(micros(pairs[0]), "message-µs")
			b.ReportMetric(micros(pairs[1]), "own-µs")
			b.ReportMetric(times(pairs), "xmessage")
		})
	}
}

// logically is a device that is made as another way makes it, and undone by one message.
func logically(b *testing.B, raw work) work {
	route := newKernel(b, unix.NETLINK_ROUTE)
	down := linkMessage(b, unix.RTM_SETLINK, 0, 0, false, func(ae *netlink.AttributeEncoder) {
		ae.String(unix.IFLA_IFNAME, rawLink)
		ae.Uint32(unix.IFLA_MASTER, 0)
	})
	binary.NativeEndian.PutUint32(down[unix.NLMSG_HDRLEN+12:], unix.IFF_UP)
	there := false
	clear := func() error {
		if !there {
			return nil
		}
		there = false
		return raw.undo()
	}
	b.Cleanup(func() { require.NoError(b, clear()) })
	return work{
		func() error {
			if err := clear(); err != nil {
				return err
			}
			there = true
			return raw.do()
		},
		func() error { return route.do(down) },
	}
}

// discarded is a guest that is detached while its device is open.
func (g *guests) discarded() work {
	doc := g.next()
	var one guest
	return work{
		func() (err error) {
			if err := g.bed.settle(); err != nil {
				return err
			}
			one.close()
			one, err = g.attach(doc)
			return err
		},
		func() error { return one.port.Detach(g.b.Context()) },
	}
}

// close closes the descriptors of a guest.
func (g guest) close() {
	for _, f := range g.files {
		f.Close()
	}
}

// BenchmarkDetach_in_bulk detaches several guests in one call, and reports the share of each beside one that is detached by
// itself.
func BenchmarkDetach_in_bulk(b *testing.B) {
	for _, count := range []int{8, 64} {
		b.Run(fmt.Sprintf("tap/ports=%d", count), func(b *testing.B) {
			d := newBed(b)
			d.start(b, natNetwork(b, 0, false))
			pairs := takeTurns(b, undoing, newGuests(b, d, kinds[0]).together(1), newGuests(b, d, kinds[0]).together(count))
			for i := range pairs[1] {
				pairs[1][i] /= time.Duration(count)
			}
			b.ReportMetric(micros(pairs[0]), "alone-µs")
			b.ReportMetric(micros(pairs[1]), "own-µs")
			b.ReportMetric(1/times(pairs), "faster")
		})
	}
}

// together are guests that are detached in one call while their devices are open.
func (g *guests) together(count int) work {
	docs := make([]*domainiface.Interface, count)
	all := make([]guest, count)
	ports := make([]*domainiface.Port, count)
	return work{
		func() (err error) {
			for i := range all {
				all[i].close()
				if docs[i] == nil {
					docs[i] = g.next()
				}
				if all[i], err = g.attach(docs[i]); err != nil {
					return err
				}
				ports[i] = all[i].port
			}
			return nil
		},
		func() error { return domainiface.DetachAll(g.b.Context(), ports...) },
	}
}
