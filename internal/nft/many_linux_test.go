// SPDX-License-Identifier: Apache-2.0

package nft

import (
	"fmt"
	"io/fs"
	"net/netip"
	"testing"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/stretchr/testify/require"
)

// Many filters are set in one transaction, which does what as many would, or nothing.
func TestSetFilters(t *testing.T) {
	c, ns := connect(t)
	before := ns.Snapshot(t)
	var filters []host.Filter
	var add, remove []host.SetFilter
	for i := range 5 {
		f := natNetwork(fmt.Sprint("n", i), fmt.Sprint("br", i))
		if i%2 == 1 {
			f.DHCP = []netip.Addr{netip.MustParseAddr(fmt.Sprintf("192.0.%d.1", i))}
		}
		filters = append(filters, f)
		add = append(add, host.SetFilter{Network: f.Network, Filter: f})
		remove = append(remove, host.SetFilter{Network: f.Network, Was: f})
	}
	for _, o := range add {
		require.NoError(t, c.SetFilter(t.Context(), o))
	}
	oneByOne := ns.Snapshot(t)
	for _, o := range remove {
		require.NoError(t, c.SetFilter(t.Context(), o))
	}
	require.Equal(t, before, ns.Snapshot(t))

	// A connection knows what it did itself, and one that did not finds out.
	stranger := func() *Conn { return connectTo(t, ns) }
	for _, c := range []*Conn{c, stranger()} {
		generation := generationOf(t, c)
		require.NoError(t, c.SetFilters(t.Context(), add))
		require.Equal(t, generation+1, generationOf(t, c), "one transaction")
		require.Equal(t, oneByOne, ns.Snapshot(t))
		same(t, filters, get(t, c))

		taken := natNetwork("n9", "br1")
		fresh := natNetwork("n8", "br8")
		err := c.SetFilters(t.Context(), []host.SetFilter{{Network: fresh.Network, Filter: fresh}, {Network: taken.Network, Filter: taken}})
		require.ErrorIs(t, err, fs.ErrExist)
		require.Equal(t, oneByOne, ns.Snapshot(t), "all or none")

		generation = generationOf(t, c)
		mixed := []host.SetFilter{remove[0], {Network: fresh.Network, Filter: fresh}, remove[1]}
		require.NoError(t, c.SetFilters(t.Context(), mixed))
		require.Equal(t, generation+1, generationOf(t, c))
		same(t, append([]host.Filter{fresh}, filters[2:]...), get(t, c))

		require.NoError(t, stranger().SetFilters(t.Context(), append(remove[2:], host.SetFilter{Network: fresh.Network, Was: fresh})))
		require.Equal(t, before, ns.Snapshot(t))
	}
	require.NoError(t, c.SetFilters(t.Context(), nil))
	require.NoError(t, c.SetFilters(t.Context(), []host.SetFilter{add[0], remove[0], add[0]}), "one after the other")
	same(t, filters[:1], get(t, c))
	require.NoError(t, c.SetFilter(t.Context(), remove[0]))
	require.Equal(t, before, ns.Snapshot(t))
}

func generationOf(t *testing.T, c *Conn) uint32 {
	t.Helper()
	get(t, c) // the socket is opened here
	v, err := c.socket.look("none")
	require.NoError(t, err)
	return v.generation
}
