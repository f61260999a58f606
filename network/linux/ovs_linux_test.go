// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"testing"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/linux"
)

// openWithOVS gives a backend for a namespace where Open vSwitch can be started.
func openWithOVS(t testing.TB) (*linux.Backend, *testenv.Namespace, *testenv.OpenVSwitch) {
	t.Helper()
	testenv.NeedRoot(t)
	ns := testenv.New(t)
	sw := testenv.NewOpenVSwitch(t, ns)
	return openAs(t, linux.Config{Namespace: ns.Path(), OVSDB: sw.Socket}), ns, sw
}
