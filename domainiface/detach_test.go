// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
)

// The guests of several managers are detached in one call.
func TestDetachAll(t *testing.T) {
	var ports []*domainiface.Port
	for range 2 {
		m, nets := onLAN(t)
		before := m.String()
		for range 3 {
			port, err := domainiface.Attach(t.Context(), nets, domainiface.Guest{Name: "web"}, nic(t, `<interface type='network'><source network='lan'/></interface>`))
			require.NoError(t, err)
			ports = append(ports, port)
		}
		defer func() { require.Equal(t, before, m.String()) }()
	}
	require.NoError(t, ports[4].Detach(t.Context()))
	err := domainiface.DetachAll(t.Context(), ports...)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "port "+ports[4].ID.String()+": ")
	require.NoError(t, domainiface.DetachAll(t.Context()))
}
