// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"encoding/json"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network/host"
)

func TestPCI(t *testing.T) {
	for _, text := range []string{"0000:04:10.2", "12345:ff:1f.7", "0001:00:00.0"} {
		p, err := host.ParsePCI(text)
		require.NoError(t, err)
		assert.Equal(t, text, p.String())
		data, err := json.Marshal(host.Function{PCI: p})
		require.NoError(t, err)
		assert.Contains(t, string(data), `"PCI":"`+text+`"`)
		var again host.Function
		require.NoError(t, json.Unmarshal(data, &again))
		assert.Equal(t, p, again.PCI)
	}
	for _, text := range []string{"", "04:10.2", "0000:04:10", "0000:04:10.2.", "0000:04:1x.2", "0000:04:-1.2", "0000:04:10.2 ", "0000:04:100000000.2"} {
		_, err := host.ParsePCI(text)
		assert.ErrorIs(t, err, fs.ErrInvalid, text)
	}
	assert.True(t, host.PCI{}.IsZero())
	var none host.Link
	data, err := json.Marshal(none)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &none))
	assert.Equal(t, host.Link{}, none)
}
