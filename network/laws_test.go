// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"testing"

	"github.com/go-virtnet/virtnet/internal/laws"
	"github.com/go-virtnet/virtnet/network/hosttest"
)

func TestLaws(t *testing.T) {
	laws.Run(t, func(*testing.T) laws.World {
		m := hosttest.New("eth0")
		m.StartResolver()
		return laws.World{Backend: m, Snapshot: m.String}
	}, "testdata/managed", "testdata/valid")
}
