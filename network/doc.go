// SPDX-License-Identifier: Apache-2.0

// Package network holds virtual networks: the <network> and <networkport> documents of libvirt as typed
// values with their rules, and the Manager that brings networks up on a host and takes them down.
//
// A document is a value like any other. It can be read from XML, made in Go, checked, copied, compared
// and written, all without a host:
//
//	n, err := network.Parse(file)
//	if err != nil {
//		return err // not XML, not a <network>, or values that cannot be read: schema.Violations
//	}
//	if err := n.Validate(); err != nil {
//		return err // every rule that it breaks, with path and line: schema.Violations
//	}
//
// The package decides and never touches a host itself; that is done by a [host.Backend].
package network
