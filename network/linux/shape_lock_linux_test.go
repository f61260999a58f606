// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
)

// TestClassesOfTwoPrograms has two backends that share a folder make classes on one bridge and take them away, while a third one
// looks: it never sees one that is half made, and what is left for the rest is right in the end.
func TestClassesOfTwoPrograms(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	ns, folder := testenv.New(t), t.TempDir()
	program := func() *linux.Backend {
		b, err := linux.Open(linux.Config{Namespace: ns.Path(), RunDir: folder})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, b.Close()) })
		return b
	}
	first, second, looker := program(), program(), program()
	whole := host.SetShape{Link: "br0", Shape: host.Shape{Link: "br0", Egress: host.NewLimit(1000, 0, 0), Queue: host.BFIFO}}
	do(t, first, shapedBridge, whole)
	done := make(chan struct{})
	var changes, looks sync.WaitGroup
	for i, b := range []*linux.Backend{first, second} {
		changes.Go(func() {
			for round := range 20 {
				c := host.Class{Link: "br0", ID: uint16(10 + 2*round + i), MAC: host.MAC{2, 0, 0, 0, byte(i), byte(round)}, Rate: 10}
				if err := b.Do(t.Context(), host.AddClass(c)); err != nil {
					t.Error(err)
					return
				}
				if round%5 == 0 {
					continue // 8 stay
				}
				if err := b.Do(t.Context(), host.DelClass(c)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	looks.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if f, err := looker.Facts(t.Context(), whole.Scope()); err != nil || f.Shape("br0").Other != "" {
				t.Error(err, f)
				return
			}
		}
	})
	changes.Wait()
	close(done)
	looks.Wait()
	f, err := looker.Facts(t.Context(), whole.Scope())
	require.NoError(t, err)
	require.True(t, whole.Holds(f), "%s", f)
	require.Len(t, f.Classes, 8)
}
