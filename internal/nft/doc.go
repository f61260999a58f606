// SPDX-License-Identifier: Apache-2.0

// Package nft keeps the packet filters of networks in the kernel's nf_tables.
//
// All filters are in one table, which is made with the first filter and goes with the last:
//
//	table inet virtnet {
//		map from { type ifname : verdict; elements = { "virbr0" : jump from-ID } }
//		map to   { type ifname : verdict; elements = { "virbr0" : jump to-ID } }
//		map nat  { type ifname : verdict; elements = { "virbr0" : jump nat-ID } }
//		chain forward     { type filter hook forward priority filter; iifname vmap @from; oifname vmap @to; }
//		chain postrouting { type nat hook postrouting priority srcnat; iifname vmap @nat; }
//		chain from-ID { ... }
//		...
//	}
//
// A forwarded packet passes the chain of the network it comes from and then that of the network it goes to. They end
// with "return" and never with "accept", so both have to agree. Looking a name up in a map costs a packet the same with
// one network and with hundreds.
//
// What answers DHCP on veth pairs needs one rule more, in a table of family bridge with the same name, for only there the
// kernel knows the device that a packet leaves by:
//
//	table bridge virtnet {
//		set dhcp { type ipv4_addr; elements = { 192.168.122.1 comment "ID" } }
//		chain output { type filter hook output priority filter; meta oifkind "veth" ip saddr @dhcp ... udp checksum set 0; }
//	}
//
// Translating addresses needs Linux 5.5 or later, which knows where a packet came from when it leaves.
//
// The package knows three forms of a filter and goes from one to the other without looking at the machine: the rules of
// package host, the programs that the kernel runs, and the text that nft reads. Only [Conn] talks to the kernel.
package nft
