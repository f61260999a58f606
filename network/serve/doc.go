// SPDX-License-Identifier: Apache-2.0

// Package serve answers the guests of networks in the program that embeds it, with no other program beside it: DHCPv4 and
// DHCPv6, DNS, router advertisements, and files by TFTP.
//
//	backend, err := linux.Open(linux.Config{Engine: &serve.Engine{}})
//
// What it means for a program: its networks are served as long as it runs, and again when it opens them next, with all
// leases, for each of them was written down before its guest heard of it. Without an engine dnsmasq serves, which goes on
// while no program of ours runs. A network can be moved from the one to the other as it is changed or started.
//
// Deciding and acting are apart: what a packet is answered with is a function of what was given and of the packets before, and
// needs no socket. What guests can take is bounded: addresses by the ranges, everything else by [Limits].
package serve
