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

	"github.com/go-virtnet/virtnet/network/host"
)

var _ host.FirewallReader = (*Backend)(nil)

// Firewall reads the chains of other programs in nf_tables. Those of the older ip_tables can only be told to be there.
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
		for _, family := range []string{"ip", "ip6"} {
			// Who has them loaded has rules in them, or had.
			text, err := os.ReadFile("/proc/thread-self/net/" + family + "_tables_names")
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			for _, table := range strings.Fields(string(text)) {
				f.Unread = append(f.Unread, family+"_tables table "+table+" (see "+family+"tables-legacy-save)")
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
