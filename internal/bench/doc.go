// SPDX-License-Identifier: Apache-2.0

// Package bench measures each operation of the library beside a floor: the same work of the kernel, done by the least code
// that can do it.
//
//	go test -bench . ./internal/bench
//
// as root; everything happens in namespaces of the test's own. A floor is made of netlink messages that were put together
// before the clock runs, one nf_tables transaction, one start of dnsmasq. It looks at nothing and takes nothing back, which the
// library does. That of a guest writes the record of it, as one file with the same bytes; the others keep no record.
//
// Floor and library take turns, and each benchmark reports medians of both and xfloor, the median of the ratios of neighbours
// in time: other work on the machine slows both. Figures of different runs, and the first figure of one, say nothing about each
// other.
package bench
