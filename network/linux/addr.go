// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/network/host"
)

func (b *Backend) addAddr(o host.AddAddr) error {
	l, err := b.rt.Link(o.Link)
	if err != nil {
		return err
	}
	if err := b.rt.AddAddr(l.Index, o.Prefix); err != nil {
		return fmt.Errorf("address %s of %s: %w", o.Prefix, o.Link, err)
	}
	return nil
}

func (b *Backend) delAddr(o host.DelAddr) error {
	l, err := b.rt.Link(o.Link)
	if err != nil {
		return err
	}
	if err := b.rt.DelAddr(l.Index, o.Prefix); err != nil {
		return fmt.Errorf("address %s of %s: %w", o.Prefix, o.Link, err)
	}
	return nil
}

// addrFacts reads the addresses of the links, link by link unless all are wanted.
func (b *Backend) addrFacts(scope host.Scope, links []rtnl.Link, f *host.Facts) error {
	names := make(map[int]string, len(links))
	questions := []int{0}
	if !scope.All {
		questions = nil
	}
	for _, l := range links {
		names[l.Index] = l.Name
		if !scope.All {
			questions = append(questions, l.Index)
		}
	}
	for _, index := range questions {
		addrs, err := b.rt.Addrs(index)
		// The link may have gone since it was found.
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("addresses: %w", err)
		}
		for _, a := range addrs {
			if name := names[a.Index]; name != "" && !a.Automatic {
				f.Addrs = append(f.Addrs, host.Addr{Link: name, Prefix: a.Prefix})
			}
		}
	}
	return nil
}
