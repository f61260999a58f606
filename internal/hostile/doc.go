// SPDX-License-Identifier: Apache-2.0

// Package hostile lets others do to a host with networks what they should not: take away devices and addresses, fill the disk, damage
// files, use the same names. Each of its tests is one such neighbour.
package hostile
