// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

// FreeSubnet returns the first subnet of that many bits in a pool that overlaps none of those in use, of whatever family they
// are. A pool that has none left is ErrFull; a pool with more bits than the subnet is to have, or bits that an address has not,
// wrap fs.ErrInvalid. The same pool and the same subnets in use, in any order, make the same subnet.
func FreeSubnet(pool netip.Prefix, bits int, used []netip.Prefix) (netip.Prefix, error) {
	if !pool.IsValid() || pool.Addr().Is4In6() || bits < pool.Bits() || bits > pool.Addr().BitLen() {
		return netip.Prefix{}, fail(fs.ErrInvalid, "a subnet of %d bits in %s", bits, pool)
	}
	pool = pool.Masked()
	var near []netip.Prefix
	for _, p := range used {
		if p = p.Masked(); p.IsValid() && p.Overlaps(pool) {
			near = append(near, p)
		}
	}
	slices.SortFunc(near, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
	free := netip.PrefixFrom(pool.Addr(), bits)
	for _, p := range near {
		// Those behind begin later still, and those before end earlier.
		if !free.Overlaps(p) {
			continue
		}
		end := lastOf(p)
		if last := lastOf(free); end.Less(last) {
			end = last
		}
		next := end.Next()
		if !next.IsValid() || !pool.Contains(next) {
			return netip.Prefix{}, fail(ErrFull, "%s has no free subnet of %d bits", pool, bits)
		}
		free = netip.PrefixFrom(next, bits)
	}
	return free, nil
}

// UsedSubnets are those that a host has, by its addresses and by the routes that lead anywhere but everywhere; it needs the
// addresses and the routes of the facts.
func UsedSubnets(f *host.Facts) []netip.Prefix {
	var used []netip.Prefix
	for _, a := range f.Addrs {
		used = append(used, a.Prefix.Masked())
	}
	for _, r := range f.Routes {
		if r.Dest.Bits() > 0 {
			used = append(used, r.Dest.Masked())
		}
	}
	return used
}

// Subnets are those of the network: of its addresses, and those that its routes lead to but for everything.
func (n *Network) Subnets() []netip.Prefix {
	var all []netip.Prefix
	for i := range n.IPs {
		if p, ok := n.IPs[i].Prefix(); ok {
			all = append(all, p.Masked())
		}
	}
	for i := range n.Routes {
		if p, ok := n.Routes[i].Prefix(); ok && p.Bits() > 0 {
			all = append(all, p.Masked())
		}
	}
	return all
}

// A SubnetWish is what a free subnet is to be. The zero SubnetWish is one for a small IPv4 network.
type SubnetWish struct {
	// Family is IPv4 when absent.
	Family Family
	// Bits is the length of the prefix; 0 is 24, and 64 with IPv6.
	Bits int
	// Pools are where it is looked for, one after the other. None are the private networks of IPv4, first those that routers at
	// home do not use, and with IPv6 a random one of the unique local networks.
	Pools []netip.Prefix
}

// privatePools are the private networks of IPv4 (RFC 1918) in the order in which they are used.
var privatePools = []string{"192.168.128.0/17", "172.16.0.0/12", "10.0.0.0/8", "192.168.0.0/17"}

// FreeSubnet chooses a subnet that overlaps neither an address or route of the host nor a network that is defined or runs. It
// is not kept for the caller: until a network with it is started, another may get it, and the second start is refused. No free
// one is ErrFull.
func (m *Manager) FreeSubnet(ctx context.Context, wish SubnetWish) (netip.Prefix, error) {
	if err := wish.fill(m.config.Rand); err != nil {
		return netip.Prefix{}, err
	}
	used, err := m.usedSubnets(ctx)
	if err != nil {
		return netip.Prefix{}, err
	}
	for _, pool := range wish.Pools {
		var p netip.Prefix
		if p, err = FreeSubnet(pool, wish.Bits, used); err == nil {
			return p, nil
		}
	}
	return netip.Prefix{}, err
}

// fill chooses what the wish leaves open.
func (w *SubnetWish) fill(random io.Reader) error {
	if w.Bits == 0 {
		w.Bits = 24
		if w.Family == IPv6 {
			w.Bits = 64
		}
	}
	for _, p := range w.Pools {
		if p.Addr().Is6() != (w.Family == IPv6) {
			return fmt.Errorf("pool %s is of another family: %w", p, fs.ErrInvalid)
		}
	}
	if len(w.Pools) > 0 {
		return nil
	}
	if w.Family == IPv6 {
		local := [16]byte{0xfd}
		if _, err := io.ReadFull(random, local[1:6]); err != nil {
			return err
		}
		w.Pools = []netip.Prefix{netip.PrefixFrom(netip.AddrFrom16(local), min(48, w.Bits)).Masked()}
		return nil
	}
	for _, pool := range privatePools {
		if p := netip.MustParsePrefix(pool); p.Bits() <= w.Bits {
			w.Pools = append(w.Pools, p)
		}
	}
	if len(w.Pools) == 0 {
		return fail(fs.ErrInvalid, "no private network has a subnet of %d bits", w.Bits)
	}
	return nil
}

func (m *Manager) usedSubnets(ctx context.Context) ([]netip.Prefix, error) {
	f, err := m.backend.Facts(ctx, host.Scope{Addrs: true, Routes: true})
	if err != nil {
		return nil, err
	}
	used := UsedSubnets(f)
	for s, err := range m.All(ctx) {
		if err != nil {
			return nil, err
		}
		for _, n := range []*Network{s.Definition, s.Live} {
			if n != nil {
				used = append(used, n.Subnets()...)
			}
		}
	}
	return used, nil
}
