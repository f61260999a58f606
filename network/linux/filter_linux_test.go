// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os/exec"
	"sync"
	"testing"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
	"github.com/stretchr/testify/require"
)

// Two backends on one namespace, with several goroutines each, and somebody who changes tables of his own all the time.
// Each goroutine has a network of its own; all of them begin with no table, and end so.
func TestFilterConcurrent(t *testing.T) {
	t.Parallel()
	one, ns := open(t)
	two, err := linux.Open(linux.Config{Namespace: ns.Path(), RunDir: t.TempDir()})
	require.NoError(t, err)
	defer func() { require.NoError(t, two.Close()) }()
	testenv.NeedProgram(t, "nft")
	before := ns.Snapshot(t)

	stranger, quiet := context.WithCancel(t.Context())
	var strangers, workers sync.WaitGroup
	strangers.Go(func() {
		for stranger.Err() == nil {
			for _, args := range [][]string{{"add", "table", "inet", "other"}, {"delete", "table", "inet", "other"}} {
				var exit *exec.ExitError
				if err := ns.Command(t.Context(), "nft", args...).Run(); errors.As(err, &exit) {
					t.Errorf("nft: %v", err)
				}
			}
		}
	})
	for i := range 6 {
		b := []*linux.Backend{one, two}[i%2]
		workers.Go(func() { useFilter(t, b, fmt.Sprint("n", i), fmt.Sprint("br", i)) })
	}
	workers.Wait()
	quiet()
	strangers.Wait()
	ns.Unchanged(t, before, "after all filters were deleted")
}

// useFilter adds, replaces and deletes the filter of one network in random order, and looks at it in between.
func useFilter(t *testing.T, b *linux.Backend, network, link string) {
	random := rand.New(rand.NewPCG(7, uint64(link[2])))
	shapes := []host.Filter{
		{},
		{Network: network, Link: link},
		isolated(network, link),
		translated(network, link, lan1, host.Rule{Do: host.Masquerade}),
	}
	now := host.Filter{}
	set := func(f host.Filter) {
		o := host.SetFilter{Network: network, Filter: f, Was: now}
		if err := b.Do(t.Context(), o); err != nil {
			t.Errorf("%s: %v", o, err)
		}
		now = f
	}
	for range 60 {
		set(shapes[random.IntN(len(shapes))])
		if random.IntN(4) > 0 {
			continue
		}
		f, err := b.Facts(t.Context(), host.Scope{Filters: []string{network}})
		if err != nil {
			t.Error(err)
		} else if got := f.Filter(network); !got.Equal(now) {
			t.Errorf("filter is\n%swant\n%s", got, now)
		}
	}
	set(host.Filter{})
}

func TestFilterFacts(t *testing.T) {
	t.Parallel()
	b, _ := open(t)
	f, g := isolated("n1", "br1"), routed("n2", "br2", lan2)
	do(t, b, host.SetFilter{Network: "n2", Filter: g}, host.SetFilter{Network: "n1", Filter: f})
	require.Equal(t, []host.Filter{f, g}, facts(t, b, host.Scope{All: true}).Filters)
	require.Equal(t, []host.Filter{g}, facts(t, b, host.Scope{Filters: []string{"n2", "n3"}}).Filters)
	require.Empty(t, facts(t, b, host.Scope{}).Filters)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.Facts(ended, host.Scope{All: true})
	require.ErrorIs(t, err, context.Canceled)
}

// A link has one filter, also where the first was made by another backend.
func TestFilterOfTheSameLink(t *testing.T) {
	t.Parallel()
	one, ns := open(t)
	two, err := linux.Open(linux.Config{Namespace: ns.Path(), RunDir: t.TempDir()})
	require.NoError(t, err)
	defer func() { require.NoError(t, two.Close()) }()
	set := func(b *linux.Backend, f, was host.Filter) error {
		return b.Do(t.Context(), host.SetFilter{Network: max(f.Network, was.Network), Filter: f, Was: was})
	}
	f := isolated("n1", "br1")
	require.NoError(t, set(one, f, host.Filter{}))
	require.ErrorIs(t, set(two, isolated("n2", "br1"), host.Filter{}), fs.ErrExist)
	require.ErrorIs(t, set(two, f, host.Filter{}), fs.ErrExist)
	require.NoError(t, set(two, isolated("n2", "br2"), host.Filter{}))
	require.ErrorIs(t, set(two, isolated("n2", "br1"), isolated("n2", "br2")), fs.ErrExist)
	require.NoError(t, set(two, isolated("n1", "br3"), f), "another link")
	require.NoError(t, set(one, isolated("n2", "br1"), isolated("n2", "br2")))
	require.NoError(t, set(one, host.Filter{}, f), "by another link than it has")
	require.Equal(t, []host.Filter{isolated("n2", "br1")}, facts(t, two, host.Scope{All: true}).Filters)
}
