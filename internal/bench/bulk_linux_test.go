// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// bulk is how many networks are started in one call, and run while the library is opened.
const bulk = 50

// What libvirt 9 takes for as much, on two processors as these are: measured once, and not in the same run. So many networks
// are started by as many calls, and stopped, and come back when its daemon is restarted.
const (
	libvirtStarts  = 3300 * time.Millisecond
	libvirtStop    = 341 * time.Millisecond
	libvirtStops   = bulk * libvirtStop
	libvirtRestart = 18 * time.Second
)

// BenchmarkStartMany starts networks in one call, until all their DHCP servers answer.
func BenchmarkStartMany(b *testing.B) {
	b.Run(fmt.Sprintf("dhcp=true/networks=%d", bulk), func(b *testing.B) {
		d := newBed(b)
		names := d.defineBulk(b)
		var took []time.Duration
		for b.Loop() {
			begin := time.Now()
			require.NoError(b, d.nets.StartMany(b.Context(), names...))
			took = append(took, time.Since(begin))
			d.stopBulk(b, names)
		}
		reportBesideLibvirt(b, took, libvirtStarts)
	})
}

// BenchmarkOpen opens the library where networks run, as a program does that was started anew.
func BenchmarkOpen(b *testing.B) {
	b.Run(fmt.Sprintf("dhcp=true/networks=%d", bulk), func(b *testing.B) {
		d := newBed(b)
		names := d.defineBulk(b)
		require.NoError(b, d.nets.StartMany(b.Context(), names...))
		b.Cleanup(func() { d.stopBulk(b, names) })
		var took []time.Duration
		for b.Loop() {
			begin := time.Now()
			_, backend, err := d.open(b.Context())
			require.NoError(b, err)
			took = append(took, time.Since(begin))
			require.NoError(b, backend.Close())
		}
		reportBesideLibvirt(b, took, libvirtRestart)
	})
}

func (d *bed) defineBulk(b *testing.B) (names []string) {
	for i := range bulk {
		n := natNetwork(b, i, true)
		require.NoError(b, d.nets.Define(b.Context(), n))
		names = append(names, n.Name)
	}
	return names
}

func (d *bed) stopBulk(b *testing.B, names []string) {
	require.NoError(b, d.nets.StopMany(context.Background(), names...))
}

func reportBesideLibvirt(b *testing.B, took []time.Duration, libvirt time.Duration) {
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(micros(took), "own-µs")
	b.ReportMetric(float64(libvirt.Microseconds()), "libvirt9-µs")
	b.ReportMetric(float64(libvirt)/float64(median(took)), "faster")
}
