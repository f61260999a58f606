// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"io"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// guestMACs is what the hardware addresses of guests begin with, by custom.
var guestMACs = [3]byte{0x52, 0x54, 0x00}

// FreeMAC makes up a hardware address for a guest, 52:54:00 and three bytes, that is not in use. The bytes are random; where they
// make one that is in use, the next free one is taken. If all 16 million are in use it is ErrFull.
func FreeMAC(random io.Reader, used func(schema.MAC) bool) (schema.MAC, error) {
	mac := schema.MAC{guestMACs[0], guestMACs[1], guestMACs[2]}
	if _, err := io.ReadFull(random, mac[3:]); err != nil {
		return schema.MAC{}, err
	}
	for range 1 << 24 {
		if !used(mac) {
			return mac, nil
		}
		for i := len(mac) - 1; i >= 3; i-- {
			if mac[i]++; mac[i] != 0 {
				break
			}
		}
	}
	return schema.MAC{}, fail(ErrFull, "all hardware addresses from 52:54:00:00:00:00 to 52:54:00:ff:ff:ff are in use")
}

// FreeMAC makes up a hardware address that is in use by no port, DHCP host or bridge of a network that is defined or runs, and by
// no link of the host. It is not kept for the caller; among 16 million the next is hardly the same.
func (m *Manager) FreeMAC(ctx context.Context) (schema.MAC, error) {
	used, err := m.usedMACs(ctx)
	if err != nil {
		return schema.MAC{}, err
	}
	return FreeMAC(m.config.Rand, func(mac schema.MAC) bool { return used[mac] })
}

func (m *Manager) usedMACs(ctx context.Context) (map[schema.MAC]bool, error) {
	f, err := m.backend.Facts(ctx, host.Scope{All: true})
	if err != nil {
		return nil, err
	}
	used := map[schema.MAC]bool{}
	for _, l := range f.Links {
		used[schema.MAC(l.MAC)] = true
	}
	networks := []string{""} // of ports on bridges of the host
	for s, err := range m.All(ctx) {
		if err != nil {
			return nil, err
		}
		networks = append(networks, s.Name)
		for _, n := range []*Network{s.Definition, s.Live} {
			if n != nil {
				n.useMACs(used)
			}
		}
	}
	for _, name := range networks {
		for s, err := range m.Ports(ctx, name) {
			if err != nil {
				return nil, err
			}
			if s.Port.MAC != nil {
				used[s.Port.MAC.Address] = true
			}
		}
	}
	return used, nil
}

// useMACs notes the hardware addresses that a network names.
func (n *Network) useMACs(used map[schema.MAC]bool) {
	if n.MAC != nil {
		used[n.MAC.Address] = true
	}
	for i := range n.IPs {
		if d := n.IPs[i].DHCP; d != nil {
			for _, h := range d.Hosts {
				used[h.MAC.MAC()] = true
			}
		}
	}
}
