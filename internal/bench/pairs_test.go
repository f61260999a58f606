// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A work is something that can be done and undone again and again.
type work struct{ do, undo func() error }

// A part says which half of a work is measured.
type part int

const (
	doing part = iota
	undoing
)

// fewest is how often both are done at least, however long that takes.
const fewest = 11

// compare lets two works take turns, and reports the medians of both and that of the ratios of neighbours.
func compare(b *testing.B, measured part, floor, own work) {
	b.Helper()
	report(b, takeTurns(b, measured, floor, own))
}

// takeTurns returns what each turn of two works took.
func takeTurns(b *testing.B, measured part, other, own work) (pairs [2][]time.Duration) {
	b.Helper()
	for i, goOn := 0, true; goOn || i < fewest; i++ {
		goOn = goOn && b.Loop()
		order := []int{0, 1}
		if i%2 == 1 {
			order = []int{1, 0}
		}
		for _, who := range order {
			pairs[who] = append(pairs[who], [2]work{other, own}[who].time(b, measured))
		}
	}
	b.ReportMetric(0, "ns/op") // which would be that of both, doing and undoing
	return pairs
}

func (w work) time(b *testing.B, measured part) time.Duration {
	b.Helper()
	start := time.Now()
	require.NoError(b, w.do())
	middle := time.Now()
	require.NoError(b, w.undo())
	if measured == undoing {
		return time.Since(middle)
	}
	return middle.Sub(start)
}

// report reports what a floor and the library took in turns.
func report(b *testing.B, pairs [2][]time.Duration) {
	b.ReportMetric(micros(pairs[0]), "floor-µs")
	b.ReportMetric(micros(pairs[1]), "own-µs")
	b.ReportMetric(times(pairs), "xfloor")
}

// micros is the median, in microseconds.
func micros(took []time.Duration) float64 { return float64(median(took)) / 1e3 }

// times is the median of how many times what the first takes the second does.
func times(pairs [2][]time.Duration) float64 {
	ratios := make([]float64, len(pairs[0]))
	for i := range ratios {
		ratios[i] = float64(pairs[1][i]) / float64(pairs[0][i])
	}
	return median(ratios)
}

// over is the median of how much longer than the first the second takes, in microseconds.
func over(pairs [2][]time.Duration) float64 {
	more := make([]time.Duration, len(pairs[0]))
	for i := range more {
		more[i] = pairs[1][i] - pairs[0][i]
	}
	return micros(more)
}

// inCrowd does many of a kind at the same time: each that takes away a link waits for the kernel, but not for the others.
func inCrowd(b testing.TB, count int, one func(i int) error) {
	var crowd sync.WaitGroup
	errs, next := make([]error, count), atomic.Int64{}
	for range min(count, 32) {
		crowd.Go(func() {
			for i := int(next.Add(1)) - 1; i < count; i = int(next.Add(1)) - 1 {
				errs[i] = one(i)
			}
		})
	}
	crowd.Wait()
	require.NoError(b, errors.Join(errs...))
}

func median[T int | float64 | time.Duration](values []T) T {
	values = slices.Sorted(slices.Values(values))
	return values[len(values)/2]
}
