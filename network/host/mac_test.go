// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"encoding/json"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network/host"
)

func TestMACText(t *testing.T) {
	require.Equal(t, "52:54:00:ab:cd:ef", mac1.String())
	for text, want := range map[string]host.MAC{"52:54:00:ab:cd:ef": mac1, "52:54:00:AB:CD:EF": mac1, "": {}} {
		var m host.MAC
		require.NoError(t, m.UnmarshalText([]byte(text)))
		require.Equal(t, want, m)
		again, err := m.MarshalText()
		require.NoError(t, err)
		require.Equal(t, strings.ToLower(text), string(again))
	}
	for _, text := range []string{"52:54:00:ab:cd", "52-54-00-ab-cd-ef", "52:54:00:ab:cd:eg", "525400abcdef", "52:54:00:ab:cd:ef ", "5:254:00:ab:cd:ef"} {
		var m host.MAC
		require.ErrorIs(t, m.UnmarshalText([]byte(text)), fs.ErrInvalid, text)
	}
	data, err := json.Marshal(struct {
		MAC host.MAC `json:",omitzero"`
	}{})
	require.NoError(t, err)
	require.Equal(t, "{}", string(data))
}
