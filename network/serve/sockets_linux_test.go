// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAddressIsFreeAgain closes a listener of which a process that is just being started has a copy.
func TestAddressIsFreeAgain(t *testing.T) {
	config := bound("lo")
	first, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	listener := first.(*net.TCPListener)
	copied, err := listener.File()
	require.NoError(t, err)
	defer copied.Close()
	_, err = config.Listen(t.Context(), "tcp", listener.Addr().String())
	require.Error(t, err, "two have it at the same time")

	require.NoError(t, ending{listener}.Close())
	again, err := config.Listen(t.Context(), "tcp", listener.Addr().String())
	require.NoError(t, err)
	require.NoError(t, again.Close())
}
