// SPDX-License-Identifier: Apache-2.0

// Package laws tests what holds for every network on every host: that a start can be taken back without a trace, that one
// that fails or is killed at any point leaves nothing, that what runs is what was planned. It is for tests, of the manager
// on a machine in memory and of backends on a real one.
package laws

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// A World is a fresh host for one test.
type World struct {
	Backend host.Backend
	// Snapshot is everything that is on the host, as text, seen by something other than the backend if possible.
	Snapshot func() string
}

// Run tests the laws with every document in the folders, each in worlds of its own. What a document asks for and cannot be
// done has to be refused, and to leave the host alone.
func Run(t *testing.T, open func(t *testing.T) World, folders ...string) {
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(folder, "*.xml"))
		require.NoError(t, err)
		require.NotEmpty(t, files, "no documents in %s", folder)
		for _, file := range files {
			name := filepath.Base(folder) + "/" + strings.TrimSuffix(filepath.Base(file), ".xml")
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				each(t, parse(t, file), open)
			})
		}
	}
}

func each(t *testing.T, n *network.Network, open func(t *testing.T) World) {
	if refused(t, n, open(t)) {
		return
	}
	t.Run("undo", func(t *testing.T) { undo(t, n, open(t)) })
	t.Run("same", func(t *testing.T) { same(t, n, open(t)) })
	t.Run("atomic", func(t *testing.T) { atomic(t, n, open(t)) })
	t.Run("crash", func(t *testing.T) { crash(t, n, open(t)) })
}

// refused reports whether the network cannot be started on such a host. Then the reason has a place, the plan says the
// same as the start, and nothing is changed or remembered.
func refused(t *testing.T, n *network.Network, w World) bool {
	ctx, store := context.Background(), network.Memory()
	before := w.Snapshot()
	nets := manager(t, w.Backend, store)
	require.NoError(t, nets.Define(ctx, n))
	_, planned := nets.Plan(ctx, n.Name)
	if planned == nil {
		return false
	}
	require.True(t, errors.Is(planned, errors.ErrUnsupported) || errors.Is(planned, fs.ErrNotExist), "%v", planned)
	require.True(t, strings.HasPrefix(planned.Error(), "/network"), "an error without a place: %v", planned)
	require.EqualError(t, nets.Start(ctx, n.Name), planned.Error())
	unchanged(t, w, before, "after a refusal")
	forgotten(t, store)
	return true
}

func parse(t *testing.T, file string) *network.Network {
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	n, err := network.Parse(f)
	require.NoError(t, err)
	require.NoError(t, n.Validate())
	return n
}

// chance is the same sequence each time, so that two runs choose alike.
func chance() *rand.ChaCha8 { return rand.NewChaCha8([32]byte{1}) }

// config is that of all managers here. What is only tried by default has to be done: all or nothing is the law.
func config() network.Config {
	return network.Config{Rand: chance(), Rules: schema.Rules{Allow: []schema.Deviation{network.RegisterTried}}}
}

// manager opens a manager that chooses as every other of these tests.
func manager(t *testing.T, b host.Backend, s network.Store) *network.Manager {
	t.Helper()
	m, err := config().Open(context.Background(), b, s)
	require.NoError(t, err)
	return m
}

// unchanged fails the test if the host is not as it was.
func unchanged(t *testing.T, w World, before, when string) {
	t.Helper()
	if diff := cmp.Diff(strings.Split(before, "\n"), strings.Split(w.Snapshot(), "\n")); diff != "" {
		t.Fatalf("%s the host is not as it was (-before +after):\n%s", when, diff)
	}
}

// forgotten fails the test if the store still holds records of something that runs.
func forgotten(t *testing.T, s network.Store) {
	t.Helper()
	names, err := s.List(context.Background(), "run/networks")
	require.NoError(t, err)
	require.Empty(t, names, "records of what does not run")
}

// undo: start and stop leave the host as it was; in between, nothing is left to do.
func undo(t *testing.T, n *network.Network, w World) {
	ctx, store := context.Background(), network.Memory()
	before := w.Snapshot()
	nets := manager(t, w.Backend, store)
	require.NoError(t, nets.Define(ctx, n))
	for range 2 {
		require.NoError(t, nets.Start(ctx, n.Name))
		plan, err := nets.Plan(ctx, n.Name)
		require.NoError(t, err)
		require.Empty(t, plan, "settled: a network that was just started has steps left")
		require.ErrorIs(t, nets.Start(ctx, n.Name), network.ErrActive)
		if n.Managed() {
			require.NotEqual(t, before, w.Snapshot(), "starting changed nothing")
		}
		require.NoError(t, nets.Stop(ctx, n.Name))
		unchanged(t, w, before, "after start and stop")
		forgotten(t, store)
		require.ErrorIs(t, nets.Stop(ctx, n.Name), network.ErrInactive)
	}
}

// same: the same document, facts and chance make the same plan, byte for byte, and looking changes nothing.
func same(t *testing.T, n *network.Network, w World) {
	ctx := context.Background()
	before := w.Snapshot()
	var plans []string
	for range 2 {
		nets := manager(t, w.Backend, network.Memory())
		require.NoError(t, nets.Define(ctx, n))
		for range 2 {
			plan, err := nets.Plan(ctx, n.Name)
			require.NoError(t, err)
			require.Equal(t, n.Managed(), len(plan) > 0, "only a network of the host's own making changes it")
			plans = append(plans, plan.String())
		}
	}
	for _, plan := range plans {
		require.Equal(t, plans[0], plan)
	}
	unchanged(t, w, before, "after planning")
}

// stride is how far apart the points are at which something fails or is killed: all of them, if there is time.
func stride() int {
	if testing.Short() {
		return 5
	}
	return 1
}

// atomic: whichever step of a start fails, the host is as it was; whichever step of a stop fails, stopping again ends it.
func atomic(t *testing.T, n *network.Network, w World) {
	ctx := context.Background()
	before := w.Snapshot()
	for at := 0; ; at += stride() {
		store := network.Memory()
		failing := &failingBackend{Backend: w.Backend, at: at}
		nets := manager(t, failing, store)
		require.NoError(t, nets.Define(ctx, n))
		err := nets.Start(ctx, n.Name)
		if err == nil {
			if err = nets.Stop(ctx, n.Name); err == nil {
				require.Equal(t, n.Managed(), at > 0, "no step failed")
				return
			}
			require.ErrorIs(t, err, errInjected, "failure of operation %d", at)
			require.NoError(t, nets.Stop(ctx, n.Name))
			unchanged(t, w, before, "stopped again after a failure")
			forgotten(t, store)
			continue
		}
		var step *host.StepError
		require.ErrorAs(t, err, &step, "failure of operation %d", at)
		require.ErrorIs(t, err, errInjected)
		require.NoError(t, step.Undo)
		require.True(t, strings.HasPrefix(err.Error(), "/network"), "an error without a place: %v", err)
		unchanged(t, w, before, "after a failure of "+step.Step.Op.String())
		forgotten(t, store)
	}
}

// crash: killed after any number of changes, in the store or on the host, while starting or stopping, the next Open
// brings the host to nothing or all, and what was defined can be started and stopped as ever.
func crash(t *testing.T, n *network.Network, w World) {
	ctx := context.Background()
	before := w.Snapshot()
	for left := 0; ; left += stride() {
		store := network.Memory()
		require.NoError(t, manager(t, w.Backend, store).Define(ctx, n))
		f := &fuse{left: left}
		// Opening changes nothing when nothing was left half done, except the claims file.
		mortal, err := config().Open(ctx, mortalBackend{w.Backend, f}, mortalStore{store, f})
		if err == nil {
			err = mortal.Start(ctx, n.Name)
		}
		if err == nil {
			err = mortal.Stop(ctx, n.Name)
		}
		if !f.blown() {
			require.NoError(t, err)
			unchanged(t, w, before, "after start and stop")
			return
		}
		require.ErrorIs(t, err, errDead, "killed after %d changes", left)

		nets := manager(t, w.Backend, store)
		status, err := nets.Lookup(ctx, n.Name)
		require.NoError(t, err)
		if status.Active() {
			plan, err := nets.Plan(ctx, n.Name)
			require.NoError(t, err)
			require.Empty(t, plan, "killed after %d changes, the network runs in part", left)
			require.NoError(t, nets.Stop(ctx, n.Name))
		}
		unchanged(t, w, before, "killed after some changes and opened again")
		forgotten(t, store)
	}
}
