// SPDX-License-Identifier: Apache-2.0

package network

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// A GuestAddress is an address that a guest has, or will get, and where that is known from. The same address may be known
// from several places, and is then told of several times.
type GuestAddress struct {
	Addr   netip.Addr
	Source AddressSource
	// MAC is that of the guest's device. It is zero if nobody knows it: DHCPv6 knows guests by their DUID, and a DHCP host may
	// be known by its name. It is then that of another source of the same address, or what the DUID was made from.
	MAC schema.MAC
	// Hostname is what the guest called itself, or what it is to be called; empty if that is not known.
	Hostname string
	// ClientID is the DHCP client identifier of IPv4, or the DUID of IPv6; empty if that is not known.
	ClientID string
	// Expires is the end of a lease; zero for one that never ends, and for the other sources.
	Expires time.Time
	// Confirmed is whether the guest can be taken to have the address now: it has been heard of with it a moment ago. A lease
	// or a DHCP host alone says only that the address is nobody else's.
	Confirmed bool
}

// An AddressSource is where an address is known from.
type AddressSource uint8

// The sources.
const (
	// FromLease is a lease that the network's server has given out.
	FromLease AddressSource = iota + 1
	// FromHost is a <host> of the <dhcp> in the document.
	FromHost
	// FromNeighbour is the host's own table of who has talked with it on the network's bridge.
	FromNeighbour
)

// String is lease, host or neighbour.
func (s AddressSource) String() string {
	switch s {
	case FromLease:
		return "lease"
	case FromHost:
		return "host"
	case FromNeighbour:
		return "neighbour"
	}
	return ""
}

// Addresses yields the addresses of the guests of a network that runs, in their order, with those of a lease before those of a
// host of the document, and these before those of neighbours: virsh net-dhcp-leases and more. What only some backends can
// tell is left out with the others. A network that does not run is ErrInactive, an unknown one wraps fs.ErrNotExist; an
// error is the last thing that is yielded.
func (m *Manager) Addresses(ctx context.Context, name string) iter.Seq2[GuestAddress, error] {
	return func(yield func(GuestAddress, error) bool) {
		all, err := m.addresses(ctx, name)
		for _, a := range all {
			if !yield(a, nil) {
				return
			}
		}
		if err != nil {
			yield(GuestAddress{}, err)
		}
	}
}

func (m *Manager) addresses(ctx context.Context, name string) ([]GuestAddress, error) {
	n, err := m.live(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := m.definition(ctx, name); err != nil {
			return nil, err
		}
		return nil, fail(ErrInactive, "network %q is not active", name)
	}
	if err != nil {
		return nil, err
	}
	leases, failed := m.givenOut(ctx, n)
	var neighbours []GuestAddress
	if n.Bridge != nil && n.Bridge.Name != "" {
		neighbours, err = m.Neighbours(ctx, n.Bridge.Name)
	}
	return joinAddresses(slices.Concat(leases, n.hostAddresses(), neighbours)), errors.Join(failed, err)
}

// givenOut are the addresses of a network's leases.
func (m *Manager) givenOut(ctx context.Context, n *Network) ([]GuestAddress, error) {
	reader, ok := m.backend.(host.LeaseReader)
	if !ok {
		return nil, nil
	}
	leases, err := reader.Leases(ctx, n.UUID.String())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // nothing is served
	}
	var all []GuestAddress
	for _, l := range leases {
		all = append(all, GuestAddress{
			Addr: l.Addr, Source: FromLease, MAC: schema.MAC(l.MAC), Hostname: l.Hostname, ClientID: l.ClientID, Expires: l.Expires,
		})
	}
	return all, err
}

// hostAddresses are those of the hosts in the document.
func (n *Network) hostAddresses() []GuestAddress {
	var all []GuestAddress
	for i := range n.IPs {
		if n.IPs[i].DHCP == nil {
			continue
		}
		for _, h := range n.IPs[i].DHCP.Hosts {
			all = append(all, GuestAddress{
				Addr: h.IP.Addr, Source: FromHost, MAC: h.MAC.MAC(), Hostname: h.Name.String(), ClientID: strings.ToLower(h.ID.String()),
			})
		}
	}
	return all
}

// Neighbours returns the addresses that the host has learned of others on a link, in their order: ip neighbour show dev LINK.
// A backend that cannot tell has none. A missing link wraps fs.ErrNotExist.
func (m *Manager) Neighbours(ctx context.Context, link string) ([]GuestAddress, error) {
	reader, ok := m.backend.(host.NeighbourReader)
	if !ok {
		return nil, nil
	}
	found, err := reader.Neighbours(ctx, link)
	var all []GuestAddress
	for _, n := range found {
		all = append(all, GuestAddress{Addr: n.Addr, Source: FromNeighbour, MAC: schema.MAC(n.MAC), Confirmed: n.Confirmed})
	}
	return all, err
}

// joinAddresses sorts addresses, and tells each what another source knows of whose it is.
func joinAddresses(all []GuestAddress) []GuestAddress {
	slices.SortStableFunc(all, func(a, b GuestAddress) int {
		return cmp.Or(a.Addr.Compare(b.Addr), cmp.Compare(a.Source, b.Source))
	})
	for i := 0; i < len(all); {
		end := i + 1
		for end < len(all) && all[end].Addr == all[i].Addr {
			end++
		}
		joinSources(all[i:end])
		i = end
	}
	return all
}

// joinSources is joinAddresses for one address.
func joinSources(all []GuestAddress) {
	for i := range all {
		a := &all[i]
		for _, other := range all {
			if a.MAC.IsZero() {
				a.MAC = other.MAC
			}
		}
		if a.MAC.IsZero() && a.Addr.Is6() {
			a.MAC = duidMAC(a.ClientID)
		}
		a.Confirmed = slices.ContainsFunc(all, func(n GuestAddress) bool {
			return n.Source == FromNeighbour && n.Confirmed && n.MAC == a.MAC
		})
	}
}

// duidMAC is the Ethernet address that a DUID was made from (RFC 8415: types LLT and LL), zero if it was made from something
// else. The guest may have made it from another of its devices.
func duidMAC(duid string) (mac schema.MAC) {
	var id []byte
	for part := range strings.SplitSeq(duid, ":") {
		if len(part) == 1 {
			part = "0" + part
		}
		b, err := hex.DecodeString(part)
		if err != nil {
			return mac
		}
		id = append(id, b...)
	}
	const ethernet = "\x00\x01"
	switch {
	case len(id) == 14 && string(id[:4]) == "\x00\x01"+ethernet:
		copy(mac[:], id[8:])
	case len(id) == 10 && string(id[:4]) == "\x00\x03"+ethernet:
		copy(mac[:], id[4:])
	}
	return mac
}
