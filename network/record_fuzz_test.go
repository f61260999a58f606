// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/hosttest"
)

// recordedNames are names in a store under which there can be anything.
var recordedNames = []string{"networks/net1", "run/networks/net1", "run/host"}

// FuzzStored wants of whatever stands in a store in the place of what runs that it is refused or acted upon, and that nothing
// panics on the way.
func FuzzStored(f *testing.F) {
	ctx := context.Background()
	began := func(t testing.TB) (*hosttest.Machine, network.Store) {
		m, store := hosttest.New("eth0"), network.Memory()
		nets := open(t, m, store)
		for i := range 2 {
			require.NoError(t, nets.Define(ctx, small(t, i)))
			require.NoError(t, nets.Start(ctx, small(t, i).Name))
		}
		return m, store
	}
	_, store := began(f)
	for i, name := range recordedNames {
		if data, err := store.Load(ctx, name); err == nil {
			f.Add(uint8(i), data)
			f.Add(uint8(i), data[:len(data)/2])
		}
	}
	f.Fuzz(func(t *testing.T, at uint8, data []byte) {
		m, store := began(t)
		require.NoError(t, store.Save(ctx, recordedNames[int(at)%len(recordedNames)], data))
		nets, err := network.Open(ctx, m, store)
		if err != nil {
			return
		}
		for _, err := range nets.All(ctx) {
			if err != nil {
				break
			}
		}
		_, _ = nets.Check(ctx)
		_ = nets.Stop(ctx, "net1")
	})
}
