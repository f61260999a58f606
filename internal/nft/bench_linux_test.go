// SPDX-License-Identifier: Apache-2.0

package nft

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/go-virtnet/virtnet/network/host"
	"golang.org/x/sys/unix"
)

// A rawBatch is a transaction that was made beforehand, and is sent without a look at what there is: the least that the
// kernel needs for the same work.
type rawBatch []byte

func (r rawBatch) send(b *testing.B, fd int, answer []byte) {
	if err := unix.Sendto(fd, r, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		b.Fatal(err)
	}
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil || n < 20 || binary.NativeEndian.Uint32(answer[16:]) != 0 {
		b.Fatalf("%v, %x", err, answer[:n])
	}
}

// BenchmarkSetFilter adds and deletes the filter of a NAT network, in turns by SetFilter and by bytes that were made
// beforehand, beside the filters of other networks. The first that SetFilter adds comes after a change by somebody else, the
// second after its own. This is done one after the other, and with time in between for what the kernel
// still has to delete, as networks come and go. The ratio is that of the medians.
func BenchmarkSetFilter(b *testing.B) {
	for _, others := range []int{1, 50, 200} {
		b.Run(fmt.Sprintf("others=%d", others), func(b *testing.B) { benchmarkSetFilter(b, others, 0) })
		b.Run(fmt.Sprintf("others=%d/settled", others), func(b *testing.B) { benchmarkSetFilter(b, others, 20*time.Millisecond) })
	}
}

func benchmarkSetFilter(b *testing.B, others int, settle time.Duration) {
	c, _ := connect(b)
	for i := range others {
		set(b, c, natNetwork(fmt.Sprint("other", i), fmt.Sprint("o", i)), host.Filter{})
	}
	f := natNetwork("n1", "br0")
	add, remove := host.SetFilter{Network: "n1", Filter: f}, host.SetFilter{Network: "n1", Was: f}
	added, removed := Prepared(f, false)
	rawAdd, rawRemove := rawBatch(added), rawBatch(removed)

	raw, err := newRawSocket(c)
	if err != nil {
		b.Fatal(err)
	}
	defer unix.Close(raw)
	answer := make([]byte, 4096)
	var times [6][]time.Duration
	take := func(i int, do func()) {
		time.Sleep(settle)
		start := time.Now()
		do()
		times[i] = append(times[i], time.Since(start))
	}
	change := func(o host.SetFilter) func() {
		return func() {
			if err := c.SetFilter(b.Context(), o); err != nil {
				b.Fatal(err)
			}
		}
	}
	for b.Loop() {
		take(0, func() { rawAdd.send(b, raw, answer) })
		take(1, func() { rawRemove.send(b, raw, answer) })
		take(2, change(add))
		take(3, change(remove))
		take(4, change(add))
		take(5, change(remove))
	}
	micro := func(i int) float64 { return float64(median(times[i]).Nanoseconds()) / 1000 }
	b.ReportMetric(micro(0), "raw-add-µs")
	b.ReportMetric(micro(1), "raw-del-µs")
	b.ReportMetric(micro(4), "add-µs")
	b.ReportMetric(micro(5), "del-µs")
	b.ReportMetric(micro(2)/micro(0), "add-after-others-ratio")
	b.ReportMetric(micro(4)/micro(0), "add-ratio")
	b.ReportMetric(micro(5)/micro(1), "del-ratio")
}

func newRawSocket(c *Conn) (fd int, err error) {
	err = c.enter(func() error {
		fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
		if err != nil {
			return err
		}
		return unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	})
	return fd, err
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// BenchmarkFilters reads the filters of one network, and of all.
func BenchmarkFilters(b *testing.B) {
	for _, networks := range []int{1, 50, 200} {
		c, _ := connect(b)
		for i := range networks {
			set(b, c, natNetwork(fmt.Sprint("n", i), fmt.Sprint("br", i)), host.Filter{})
		}
		read := func(wanted []string, want int) func(b *testing.B) {
			return func(b *testing.B) {
				for b.Loop() {
					filters, err := c.Filters(b.Context(), wanted)
					if err != nil || len(filters) != want {
						b.Fatalf("%d filters, %v", len(filters), err)
					}
				}
			}
		}
		b.Run(fmt.Sprintf("networks=%d/all", networks), read(nil, networks))
		b.Run(fmt.Sprintf("networks=%d/one", networks), read([]string{"n0"}, 1))
	}
}

// BenchmarkEncode makes the transaction that adds a NAT network's filter.
func BenchmarkEncode(b *testing.B) {
	v, f, batch := whole(1), natNetwork("n1", "br0"), &batch{}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.change(batch, host.SetFilter{Network: "n1", Filter: f}); err != nil {
			b.Fatal(err)
		}
	}
}
