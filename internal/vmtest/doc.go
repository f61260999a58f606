// SPDX-License-Identifier: Apache-2.0

// Package vmtest runs programs in a virtual machine whose kernel lacks nothing that the library can use: every queueing
// discipline, VLANs, bonds, bridge VLAN filtering, Open vSwitch, and two network cards with virtual functions behind an IOMMU.
//
// The machine is made of Debian packages that are unpacked into a folder below the user's cache, see [Make]; nothing is
// installed, root is not needed, and neither is a processor that can virtualize. It runs from memory, ends with the
// program, and leaves nothing behind. Command vmexec puts test binaries into it:
//
//	go build -o vmexec ./internal/vmtest/vmexec
//	CGO_ENABLED=0 go test -exec "$PWD/vmexec" ./network/linux
package vmtest
