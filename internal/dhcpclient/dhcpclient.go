// SPDX-License-Identifier: Apache-2.0

// Package dhcpclient takes a lease from a DHCPv4 server, as a guest does: DISCOVER, OFFER, REQUEST, ACK, once. It is for
// tests and demonstrations: it configures no interface and renews no lease.
//
//	lease, err := dhcpclient.Lease(ctx, "eth0", dhcpclient.Options{Hostname: "web"})
package dhcpclient

import (
	"errors"
	"net/netip"
	"time"
)

// Options says what the client asks with. The zero Options is a nameless client.
type Options struct {
	// Hostname is what the client calls itself; empty says nothing.
	Hostname string
	// ClientID is the client identifier, its type byte included; empty sends none, and the hardware address counts.
	ClientID []byte
	// Address is one that the client would like to have again; invalid is none.
	Address netip.Addr
	// Strict ignores packets whose checksum is wrong, as clients do that do not know that the kernel leaves checksums to
	// network cards. One that is zero is no checksum.
	Strict bool
	// Retransmit is the time until the first repetition of a question that is not answered; it doubles each time. Zero
	// is one second.
	Retransmit time.Duration
}

// A Grant is what the server gave.
type Grant struct {
	// Addr is the address with the length of its network.
	Addr netip.Prefix
	// Server is who gave it.
	Server netip.Addr
	// Router and DNS are empty if the server told of none.
	Router, DNS []netip.Addr
	// MTU is 0 if the server did not tell.
	MTU int
	// Domain and Hostname are empty if the server told of none.
	Domain, Hostname string
	// BootFile and BootServer are for starting from the network; empty and invalid if the server told of none.
	BootFile   string
	BootServer netip.Addr
	// Time is how long the address may be used; negative is for ever.
	Time time.Duration
}

// ErrRefused is the error of a request that the server answered with NAK.
var ErrRefused = errors.New("the DHCP server refused the address")
