// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
)

// TestLower looks at devices that stand on others. The peer of a pair is not below it, and a device whose lower one is in
// another namespace has none here.
func TestLower(t *testing.T) {
	t.Parallel()
	b, ns := open(t)
	other := testenv.New(t)
	ns.Output(t, "ip", "link", "add", "card", "type", "veth", "peer", "name", "wire")
	ns.Output(t, "ip", "link", "add", "mv", "link", "card", "type", "macvlan", "mode", "bridge")
	ns.Output(t, "ip", "link", "add", "mv2", "link", "card", "type", "macvlan", "mode", "bridge")
	ns.Output(t, "ip", "link", "set", "mv2", "netns", other.Path())

	f, err := b.Facts(t.Context(), host.Scope{Links: []string{"card", "mv"}})
	require.NoError(t, err)
	require.Empty(t, f.Link("card").Lower)
	require.Equal(t, "card", f.Link("mv").Lower)
	require.Equal(t, host.Kind("macvlan"), f.Link("mv").Kind)
	require.Zero(t, f.Link("mv").VLAN)

	there, err := linux.Open(linux.Config{Namespace: other.Path(), RunDir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, there.Close()) })
	f, err = there.Facts(t.Context(), host.Scope{Links: []string{"mv2"}})
	require.NoError(t, err)
	require.Empty(t, f.Link("mv2").Lower)
}
