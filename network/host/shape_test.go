// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network/host"
)

func TestNewLimit(t *testing.T) {
	for _, c := range []struct {
		name                 string
		average, peak, burst uint64
		want                 host.Limit
	}{
		{"nothing", 0, 0, 0, host.Limit{}},
		{"nothing but a peak", 0, 9, 9, host.Limit{}},
		{"64 kbit/s", 8, 0, 0, host.Limit{Rate: 8, Ceil: 8, Burst: 2}},
		{"everything", 1000, 5000, 1024, host.Limit{Rate: 1000, Ceil: 5000, Burst: 1024}},
		{"a peak below the average", 1000, 500, 0, host.Limit{Rate: 1000, Ceil: 1000, Burst: 9}},
		{"1 Gbit/s", 125_000, 0, 0, host.Limit{Rate: 125_000, Ceil: 125_000, Burst: 1024}},
		{"100 Gbit/s", 12_500_000, 0, 0, host.Limit{Rate: 12_500_000, Ceil: 12_500_000, Burst: 12_207}},
		{"100 Gbit/s with a burst", 12_500_000, 25_000_000, 4194303, host.Limit{Rate: 12_500_000, Ceil: 25_000_000, Burst: 4194303}},
		{"a burst of more than the kernel's time", 1, 0, 4194303, host.Limit{Rate: 1, Ceil: 1, Burst: 267}},
		{"the most", host.MaxRate, host.MaxRate, host.MaxBurst, host.Limit{Rate: host.MaxRate, Ceil: host.MaxRate, Burst: host.MaxBurst}},
		{"more than the most", math.MaxUint64, math.MaxUint64, math.MaxUint64, host.Limit{Rate: host.MaxRate, Ceil: host.MaxRate, Burst: host.MaxBurst}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := host.NewLimit(c.average, c.peak, c.burst)
			require.Equal(t, c.want, got)
			if !got.IsZero() {
				require.NoError(t, host.SetShape{Link: "br0", Shape: host.Shape{Link: "br0", Egress: got, Queue: host.SFQ}}.Check())
			}
		})
	}
}

func TestLimitsAreEqual(t *testing.T) {
	slow := host.NewLimit(1000, 5000, 1024)
	require.True(t, slow.Equal(slow))
	require.False(t, slow.Equal(host.NewLimit(1001, 5000, 1024)))
	require.False(t, slow.Equal(host.NewLimit(1000, 5001, 1024)))
	require.False(t, slow.Equal(host.NewLimit(1000, 5000, 1025)))
	fast := host.NewLimit(1<<30, 0, 1024)
	require.True(t, fast.Equal(host.NewLimit(1<<30, 0, 1024+127)))
	require.False(t, fast.Equal(host.NewLimit(1<<30, 0, 1024+128)))
}

// TestShapesAreEqual changes each field of a shape in turn.
func TestShapesAreEqual(t *testing.T) {
	s := shape("br0")
	require.True(t, s.Equal(s))
	require.True(t, host.Shape{}.Equal(host.Shape{Link: "br0"}), "none is none")
	for name, other := range map[string]host.Shape{
		"link":    change(s, func(s *host.Shape) { s.Link = "br1" }),
		"egress":  change(s, func(s *host.Shape) { s.Egress.Rate++ }),
		"ingress": change(s, func(s *host.Shape) { s.Ingress.Ceil++ }),
		"queue":   change(s, func(s *host.Shape) { s.Queue = host.SFQ }),
		"filter":  change(s, func(s *host.Shape) { s.BPF = true }),
		"means":   change(s, func(s *host.Shape) { s.Means = host.Police }),
		"other":   change(s, func(s *host.Shape) { s.Other = "x" }),
		"none":    {},
	} {
		require.False(t, s.Equal(other), name)
		require.False(t, other.Equal(s), name)
	}
}

func TestGuaranteed(t *testing.T) {
	sum, ok := host.Guaranteed([]host.Class{{Rate: 7}, {Rate: 8}})
	require.True(t, ok)
	require.EqualValues(t, 15, sum)
	_, ok = host.Guaranteed([]host.Class{{Rate: math.MaxUint64}, {Rate: 1}})
	require.False(t, ok)
	require.EqualValues(t, 85, host.Residual(100, 15))
	require.EqualValues(t, 100, host.Residual(100, 0))
	for _, guaranteed := range []uint64{100, 101, math.MaxUint64} {
		require.EqualValues(t, 1, host.Residual(100, guaranteed), "never nothing")
	}
}

// TestDelClassHolds wants a class that was left half made to be taken away, and that of another station to stay.
func TestDelClassHolds(t *testing.T) {
	del := host.DelClass{Link: "br0", ID: 3, MAC: mac1, Rate: 7}
	for name, c := range map[string]struct {
		class host.Class
		want  bool
	}{
		"whole":           {host.Class{Link: "br0", ID: 3, MAC: mac1, Rate: 7}, false},
		"of another rate": {host.Class{Link: "br0", ID: 3, MAC: mac1, Rate: 8}, false},
		"half made":       {host.Class{Link: "br0", ID: 3, Rate: 7}, false},
		"somebody else's": {host.Class{Link: "br0", ID: 3, MAC: mac2, Rate: 7}, true},
		"another number":  {host.Class{Link: "br0", ID: 4, MAC: mac1, Rate: 7}, true},
	} {
		require.Equal(t, c.want, del.Holds(&host.Facts{Classes: []host.Class{c.class}}), name)
	}
}
