// SPDX-License-Identifier: Apache-2.0

// Package hosttest helps to test code that builds networks, without root and without touching the machine.
//
// [Machine] is a machine in memory. It is no mock: it keeps links, addresses, routes, filters, shapes and servers as the
// kernel does, refuses what the kernel refuses, and prints itself as text. A test tells it when to fail, and never what
// to answer:
//
//	m := hosttest.New("eth0")
//	err := host.Apply(ctx, m, plan)
//	if got := m.String(); got != want { ... }
//
//	m.Fail = func(op host.Op) error {
//		if _, ok := op.(host.Plug); ok {
//			return fs.ErrPermission
//		}
//		return nil
//	}
//
// [TestBackend] is the test that every [host.Backend] has to pass. Machine passes it, and so does the backend of
// package linux, which is why a test on the one says something about the other.
package hosttest
