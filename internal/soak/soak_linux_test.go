// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/linux"
)

var (
	long  = flag.Duration("soak", 4*time.Second, "how long the soak lasts, half of it for each way of serving")
	ports = flag.Int("ports", 160, "how many ports there are at most")
)

func TestMain(m *testing.M) {
	if order := os.Getenv(victimEnv); order != "" {
		if err := victim(order); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	os.Exit(testenv.Alone(m))
}

// TestSoak attaches guests to networks, changes them and takes them away, by many at once who work with two managers, at random; meanwhile servers are told
// other things, and networks are stopped and started. Nobody gets an error, what is there stands whole whenever somebody looks,
// and in the end the host is as it was.
func TestSoak(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.NeedProgram(t, "dnsmasq")
	t.Run("dnsmasq", func(t *testing.T) { testSoak(t, false) })
	t.Run("in process", func(t *testing.T) { testSoak(t, true) })
}

func testSoak(t *testing.T, inProcess bool) {
	const networks = 20
	w, host, _ := newWorld(t, inProcess, networks)
	before, goroutines, open := host.Snapshot(t), runtime.NumGoroutine(), descriptors(t)
	var programs [2]*network.Manager // as two programs are, that share the state
	var backends [2]*linux.Backend
	for i := range programs {
		var err error
		backends[i], programs[i], err = w.open(t.Context())
		require.NoError(t, err)
		defer backends[i].Close() // twice is no error
	}
	nets := programs[0]
	require.NoError(t, w.defineAll(t.Context(), nets))

	tally := &tally{end: time.Now().Add(*long / 2), done: map[string]int{}}
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			one := &worker{
				world: w, nets: programs[i%len(programs)], number: i, most: *ports / workers, note: tally.note, name: fmt.Sprintf("w%dg", i),
				chance: rand.New(rand.NewPCG(7, uint64(i))),
			}
			errs[i] = one.work(t.Context(), tally.more)
			if errs[i] != nil {
				tally.failed.Store(true)
			}
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	t.Log(tally.done, "at most at once:", tally.most)
	require.NoError(t, check(t.Context(), nets, ""))

	require.NoError(t, w.removeAll(t.Context(), nets))
	host.Unchanged(t, before, "after the soak")
	left, err := w.left(t.Context())
	require.NoError(t, err)
	require.Empty(t, left)
	require.Empty(t, host.Programs(t))
	for _, b := range backends {
		require.NoError(t, b.Close())
	}
	testenv.WaitFor(t, 20*time.Second, "as many goroutines and descriptors as before", func() bool {
		return runtime.NumGoroutine() <= goroutines && descriptors(t) <= open
	})
}

// A tally counts what was done.
type tally struct {
	end    time.Time
	failed atomic.Bool

	mu   sync.Mutex
	done map[string]int
	most int // guests
}

func (t *tally) note(n note) error {
	if n.Done {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.done[n.Do]++
		t.most = max(t.most, t.done[attach]-t.done[detach])
	}
	return nil
}

// more reports whether there is time, or something was never done. Who has failed stops all.
func (t *tally) more() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.failed.Load() && (time.Now().Before(t.end) || len(t.done) < len(deeds))
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(entries)
}
