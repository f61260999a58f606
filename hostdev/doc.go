// SPDX-License-Identifier: Apache-2.0

// Package hostdev holds what documents say about devices of the host that are handed to a guest: PCI
// addresses and the driver that passes them through, and the pool that they are chosen from. It does not look at the
// host.
package hostdev
