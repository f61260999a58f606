// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"fmt"
	"io/fs"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/network/host"
)

// setOwner marks the very link that was looked at.
func (b *Backend) setOwner(o host.SetOwner) error {
	l, err := b.rt.Link(o.Link)
	if err != nil {
		return err
	}
	if host.MAC(l.MAC) != o.MAC {
		return fmt.Errorf("link %s with hardware address %s: %w", o.Link, o.MAC, fs.ErrNotExist)
	}
	if l.Alias != o.Was && l.Alias != o.Owner {
		return fmt.Errorf("link %s belongs to %q: %w", o.Link, l.Alias, fs.ErrExist)
	}
	if err := b.rt.SetLinkIndex(l.Index, rtnl.Change{Alias: o.Owner, NoAlias: o.Owner == ""}); err != nil {
		return fmt.Errorf("link %s: %w", o.Link, err)
	}
	return nil
}
