// SPDX-License-Identifier: Apache-2.0

// Package dnsmasq writes and reads the files of dnsmasq: the configuration that a [host.Server] asks for, and the
// lease file. It starts nothing and opens nothing.
//
//	conf, err := dnsmasq.Config(&server, dnsmasq.Files{Leases: "/run/virtnet/NAME/leases"})
//
// Whatever a document says stays within its field of its line: a value is quoted where dnsmasq knows quotes, and refused
// with an error that wraps [io/fs.ErrInvalid] where it does not.
//
// Hosts and names stand in the configuration itself, or in files of their own, which the program reads again when it is asked
// to. It reads those only after it has given up root, so a folder that only root can enter is closed to it.
package dnsmasq
