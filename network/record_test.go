// SPDX-License-Identifier: Apache-2.0

package network

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// A record in another stage is what it would be if it were written anew.
func TestRestaged(t *testing.T) {
	r := &record{Instance: `"stage":"starting"`, Stage: starting, Name: `n "stage":"starting"`, Document: `<network><name>"stage":"starting"</name></network>`}
	written, err := json.Marshal(r)
	require.NoError(t, err)
	r.Stage = running
	want, err := json.Marshal(r)
	require.NoError(t, err)
	require.Equal(t, string(want), string(restaged(written, starting, running)))
}
