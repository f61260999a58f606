// SPDX-License-Identifier: Apache-2.0

// Package linux is the backend that changes a Linux machine: links, addresses and routes by rtnetlink, the packet filter
// by nf_tables, kernel parameters by /proc/sys, zones by firewalld and name servers by systemd-resolved if they run, and DHCP and DNS
// by the program itself (network/serve) or by dnsmasq.
//
//	b, err := linux.Open(linux.Config{Engine: &serve.Engine{}})
//	defer b.Close()
//	nets, err := network.Open(ctx, b, network.Dirs("/var/lib/example", "/run/example"))
//
// It needs CAP_NET_ADMIN in the network namespace it works in, and for some things more: SECURITY.md has the list. On other
// systems Open returns errors.ErrUnsupported.
// A program that is built with the tag virtnet_nodbus is smaller by a tenth and does without both.
package linux
