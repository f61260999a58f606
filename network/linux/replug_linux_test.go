// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
)

// A faulty backend fails one operation, the one with that number counted from 0, once.
type faulty struct {
	*linux.Backend
	at, n int
	// failed is the operation that was made to fail.
	failed host.Op
}

var errFault = errors.New("a fault")

func (f *faulty) Do(ctx context.Context, op host.Op) error {
	f.n++
	if f.n-1 == f.at {
		f.failed = op
		return errFault
	}
	return f.Backend.Do(ctx, op)
}

// TestFaultWhileGuestsArePluggedAgain stops and starts a network with two guests, with a fault at each step in turn: the
// network runs or not, and when the fault is over its guests are on it again.
func TestFaultWhileGuestsArePluggedAgain(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.NeedProgram(t, "dnsmasq")
	t.Parallel()
	w := newKillWorld(t, "")
	container := testenv.New(t)
	ctx := context.Background()
	b, err := linux.Open(linux.Config{Namespace: w.ns.Path(), RunDir: filepath.Join(w.folder, "run")})
	require.NoError(t, err)
	defer b.Close()
	store := network.Dir(filepath.Join(w.folder, "state"))
	nets, err := network.Open(ctx, b, store)
	require.NoError(t, err)
	n, err := network.Parse(strings.NewReader(sharedNetwork(0)))
	require.NoError(t, err)
	require.NoError(t, nets.Define(ctx, n))
	require.NoError(t, nets.Start(ctx, "net0"))
	var ports []*domainiface.Port
	for _, guest := range []domainiface.Guest{{Name: "machine"}, {Name: "container", Namespace: container.Path()}} {
		nic, err := domainiface.Parse(strings.NewReader(`<interface type='network'><source network='net0'/><port isolated='yes'/></interface>`))
		require.NoError(t, err)
		port, err := domainiface.Attach(ctx, nets, guest, nic)
		require.NoError(t, err)
		ports = append(ports, port)
	}
	running := steady(w.snapshot())

	faults := map[string]int{}
	for at := 0; ; at++ {
		f := &faulty{Backend: b, at: at}
		broken, err := network.Open(ctx, f, store)
		require.NoError(t, err)
		require.Zero(t, f.n, "there is nothing to mend")
		err = broken.Stop(ctx, "net0")
		if err != nil {
			require.ErrorIs(t, err, errFault)
			faults["stop"]++
			require.NoError(t, broken.Stop(ctx, "net0"), "stopped again after a fault of %s", f.failed)
		}
		for _, port := range ports {
			requireOnly[host.Plug](t, b, port)
		}
		err = broken.Start(ctx, "net0")
		s, lookupErr := nets.Lookup(ctx, "net0")
		require.NoError(t, lookupErr)
		switch {
		case err == nil:
			require.True(t, s.Active())
		case s.Active():
			// The guests' devices are not a reason to stop the network for all others.
			require.ErrorIs(t, err, errFault)
			require.ErrorContains(t, err, `network "net0" runs, but port`)
			require.IsType(t, host.Plug{}, f.failed)
			faults["plug"]++
			plan, err := nets.Plan(ctx, "net0")
			require.NoError(t, err)
			require.Empty(t, plan)
			// Whoever opens the store next tries again.
			_, err = network.Open(ctx, b, store)
			require.NoError(t, err)
		default:
			require.ErrorIs(t, err, errFault)
			faults["start"]++
			require.NoError(t, broken.Start(ctx, "net0"), "started again after a fault of %s", f.failed)
		}
		if diff := testenv.Diff(running, steady(w.snapshot())); diff != "" {
			t.Fatalf("after a fault of %s the host is not as it was:\n%s", f.failed, diff)
		}
		if f.failed == nil {
			break
		}
	}
	t.Log(faults)
	require.Equal(t, 2, faults["plug"], "each guest's plug failed once: %v", faults)
	require.Greater(t, faults["start"], 5, "%v", faults)
	require.Greater(t, faults["stop"], 2, "%v", faults)
	w.clearUp("in the end")
}

// requireOnly requires that a port stands but for one operation of a kind.
func requireOnly[T host.Op](t *testing.T, b *linux.Backend, port *domainiface.Port) {
	t.Helper()
	f, err := b.Facts(t.Context(), port.Built.Scope())
	require.NoError(t, err)
	missing := port.Built.Missing(f)
	require.Len(t, missing, 1, fmt.Sprint(missing))
	require.IsType(t, *new(T), missing[0].Op)
}

// inOrder is what depends on the order in which a server was started and ports were plugged in.
var inOrder = regexp.MustCompile(`(processes: |port_id |port_no |designated_port )\w+`)

// steady is a snapshot without that.
func steady(snapshot string) string { return inOrder.ReplaceAllString(snapshot, "${1}some") }
