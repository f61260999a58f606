// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/network/host"
)

func (b *Backend) addAddr(o host.AddAddr) error {
	index, err := b.rt.Index(o.Link)
	if err != nil {
		return err
	}
	if err := b.rt.AddAddr(index, o.Prefix); err != nil {
		return fmt.Errorf("address %s of %s: %w", o.Prefix, o.Link, err)
	}
	return nil
}

func (b *Backend) delAddr(o host.DelAddr) error {
	index, err := b.rt.Index(o.Link)
	if err != nil {
		return err
	}
	if err := b.rt.DelAddr(index, o.Prefix); err != nil {
		return fmt.Errorf("address %s of %s: %w", o.Prefix, o.Link, err)
	}
	return nil
}

// addrFacts reads the addresses of the links, link by link unless all are wanted. Names are those of the links known so
// far.
func (b *Backend) addrFacts(scope host.Scope, links []rtnl.Link, names map[int]string, f *host.Facts) error {
	addrs, err := b.addrs(scope, links)
	if err != nil {
		return fmt.Errorf("addresses: %w", err)
	}
	var indexes []int
	for _, a := range addrs {
		indexes = append(indexes, a.Index)
	}
	if names, err = b.moreNames(names, indexes); err != nil {
		return err
	}
	for _, a := range addrs {
		// The link may have gone since its address was read.
		if name := names[a.Index]; name != "" {
			f.Addrs = append(f.Addrs, host.Addr{Link: name, Prefix: a.Prefix})
		}
	}
	return nil
}

// addrs are the addresses that are facts: all of the machine, those near some subnets, or those of the links.
func (b *Backend) addrs(scope host.Scope, links []rtnl.Link) ([]rtnl.Addr, error) {
	var questions []int
	for _, l := range links {
		if scope.HasAddrs(l.Name) {
			questions = append(questions, l.Index)
		}
	}
	wanted := func(a rtnl.Addr) bool {
		return scope.All || scope.Addrs || scope.HasNear(a.Prefix) || slices.Contains(questions, a.Index)
	}
	if scope.All || scope.Addrs || len(scope.Near) > 0 {
		return b.allAddrs(wanted)
	}
	var all []rtnl.Addr
	for _, index := range questions {
		addrs, err := b.rt.Addrs(index)
		// The link may have gone since it was found.
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, addrs...)
	}
	return slices.DeleteFunc(all, func(a rtnl.Addr) bool { return a.Automatic }), nil
}

// allAddrs are those of all links that are wanted.
func (b *Backend) allAddrs(wanted func(rtnl.Addr) bool) ([]rtnl.Addr, error) {
	all, err := b.rt.Addrs(0)
	return slices.DeleteFunc(all, func(a rtnl.Addr) bool { return a.Automatic || !wanted(a) }), err
}
