// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/go-virtnet/virtnet/internal/nft"
	"github.com/go-virtnet/virtnet/network/host"
)

var _ host.FirewallReader = (*Backend)(nil)

// Firewall reads the chains of other programs in nf_tables and in the older ip_tables.
func (b *Backend) Firewall(ctx context.Context) (*host.Firewall, error) {
	names, err := b.linkNames()
	if err != nil {
		return nil, err
	}
	f := &host.Firewall{}
	if f.Chains, err = b.nft.Foreign(ctx, names); err != nil {
		return nil, fmt.Errorf("packet filters: %w", err)
	}
	err = b.enter(func() error {
		for _, family := range []host.Family{host.IPv4, host.IPv6} {
			if err := addLegacy(f, family); err != nil {
				return err
			}
		}
		return nil
	})
	return f, err
}

// linkNames are the names of all links by their indexes.
func (b *Backend) linkNames() (map[uint32]string, error) {
	links, err := b.rt.Links()
	if err != nil {
		return nil, err
	}
	names := map[uint32]string{}
	for _, l := range links {
		names[uint32(l.Index)] = l.Name
	}
	return names, nil
}

// addLegacy adds the tables of ip_tables that are there. Who has them loaded has rules in them, or had.
func addLegacy(f *host.Firewall, family host.Family) error {
	word := map[host.Family]string{host.IPv4: "ip", host.IPv6: "ip6"}[family]
	text, err := os.ReadFile("/proc/thread-self/net/" + word + "_tables_names")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, table := range strings.Fields(string(text)) {
		chains, err := nft.Legacy(family, table)
		if err != nil {
			f.Unread = append(f.Unread, word+"_tables table "+table+" (see "+word+"tables-legacy-save)")
			continue
		}
		f.Chains = append(f.Chains, chains...)
	}
	return nil
}
