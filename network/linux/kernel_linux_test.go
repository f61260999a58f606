// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
)

// TestKernelLacksNothing says what of the kernel the other tests had to do without.
func TestKernelLacksNothing(t *testing.T) {
	b, _ := open(t)
	f, err := b.Facts(t.Context(), host.Scope{Shaping: true, VLANs: true, Repairs: true})
	require.NoError(t, err)
	if len(f.Shaping.Queues) < 3 || len(f.Shaping.Means) < 3 {
		testenv.Lack(t, "the kernel can shape by %s only", f.Shaping)
	}
	if !f.VLANFiltering {
		testenv.Lack(t, "the kernel has no VLAN filtering of bridges")
	}
	if len(f.Repairs) < 2 {
		testenv.Lack(t, "the kernel can repair checksums by %v only", f.Repairs)
	}
}
