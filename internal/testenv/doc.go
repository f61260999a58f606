// SPDX-License-Identifier: Apache-2.0

// Package testenv gives tests a machine of their own: network namespaces that nothing else uses, programs that run in
// them, and a full text of what is in them. Nothing that a test does in one is seen outside, and all of it goes away
// with the test.
//
//	func TestSomething(t *testing.T) {
//		testenv.NeedRoot(t)
//		ns := testenv.New(t)
//		before := ns.Snapshot(t)
//		b, err := linux.Open(linux.Config{Namespace: ns.Path()})
//		...
//		ns.Unchanged(t, before, "after the test")
//	}
//
// A test that cannot run says why with [Skip], in a line that a summary can find and count.
package testenv
