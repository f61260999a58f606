// SPDX-License-Identifier: Apache-2.0

//go:build linux

package nft

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
	"golang.org/x/sys/unix"
)

// libvirtTable is where libvirt 10.4 and later have their rules, in a table of each IP version. Before that, and where it is
// told to, libvirt has chains of its own in the tables of iptables.
const (
	libvirtTable  = "libvirt_network"
	libvirtChains = "LIBVIRT_"
)

// isLibvirts reports whether a chain is one of libvirt's.
func isLibvirts(p place) bool {
	return (p.family == unix.NFPROTO_IPV4 || p.family == unix.NFPROTO_IPV6) && (p.table == libvirtTable || strings.HasPrefix(p.name, libvirtChains))
}

// A libvirtRule is a rule of libvirt and where it is.
type libvirtRule struct {
	host.LibvirtRule
	place
	handle []byte
}

// LibvirtRules reads the rules that libvirt has for its networks, and which links and subnets they are about; jumps to other
// chains are about none, and are left out. Links are the names of the links by their indexes. A machine without nf_tables has
// none.
func (c *Conn) LibvirtRules(ctx context.Context, links map[uint32]string) (rules []host.LibvirtRule, err error) {
	err = c.repeat(ctx, func(s *socket) (again bool, err error) {
		found, again, err := s.libvirtRules(links)
		rules = nil
		for _, r := range found {
			rules = append(rules, r.LibvirtRule)
		}
		return again, err
	})
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, nil
	}
	return rules, err
}

// DropRules removes the rules of libvirt that are about a link or its subnets; see [host.DropRules].
func (c *Conn) DropRules(ctx context.Context, links map[uint32]string, o host.DropRules) error {
	return c.repeat(ctx, func(s *socket) (again bool, err error) {
		generation, _, err := s.generation(&table{})
		if err != nil {
			return false, err
		}
		found, again, err := s.libvirtRules(links)
		if again || err != nil {
			return again, err
		}
		found = slices.DeleteFunc(found, func(r libvirtRule) bool { return !r.About(o.Link, o.Subnets) })
		if len(found) == 0 {
			return false, nil
		}
		b := newBatch(generation)
		for _, r := range found {
			b.deleteRule(r.place, r.handle)
		}
		b.end()
		refused, err := s.commit(b)
		return refused && errors.Is(err, unix.ERESTART), err
	})
}

// deleteRule deletes one rule of somebody else.
func (b *batch) deleteRule(p place, handle []byte) {
	b.family = p.family
	b.change(unix.NFT_MSG_DELRULE, 0, "delete rule of chain", p.name, func(w *writer) {
		w.text(unix.NFTA_RULE_TABLE, p.table)
		w.text(unix.NFTA_RULE_CHAIN, p.name)
		w.bytes(unix.NFTA_RULE_HANDLE, handle)
	})
}

// libvirtRules reads them chain by chain: there may be many rules of others.
func (s *socket) libvirtRules(links map[uint32]string) (rules []libvirtRule, changed bool, err error) {
	r := &foreign{socket: s, links: links, sets: map[place]*foreignSet{}}
	var chains []place
	err = r.dump(unix.NFT_MSG_GETCHAIN, "chains", func(family uint8, a attrs) {
		p := place{family, a.text(unix.NFTA_CHAIN_TABLE), a.text(unix.NFTA_CHAIN_NAME)}
		if isLibvirts(p) {
			chains = append(chains, p)
		}
	})
	for _, chain := range chains {
		if err == nil {
			var some []libvirtRule
			some, err = r.libvirtChain(chain)
			rules = append(rules, some...)
		}
	}
	return rules, r.interrupted, err
}

func (r *foreign) libvirtChain(p place) (rules []libvirtRule, err error) {
	type found struct {
		handle []byte
		steps  []step
	}
	var all []found
	err = r.dumpOf(p.family, unix.NFT_MSG_GETRULE, "rules of chain "+p.name, func(w *writer) {
		w.text(unix.NFTA_RULE_TABLE, p.table)
		w.text(unix.NFTA_RULE_CHAIN, p.name)
	}, func(_ uint8, a attrs) {
		all = append(all, found{slices.Clone(a.take(unix.NFTA_RULE_HANDLE)), readSteps(a.take(unix.NFTA_RULE_EXPRESSIONS))})
	})
	if err != nil {
		return nil, err
	}
	for _, one := range all {
		read, err := r.rules(place{p.family, p.table, ""}, one.steps)
		if err != nil {
			return nil, err
		}
		for _, rule := range read {
			is := libvirtRule{place: p, handle: one.handle}
			is.Family, is.Table, is.Chain, is.Text = families[p.family], p.table, p.name, rule.Text
			is.Links, is.Subnets = subjects(rule.When)
			if len(is.Links)+len(is.Subnets) > 0 {
				rules = append(rules, is)
			}
		}
	}
	return rules, nil
}

// subjects are the links and the subnets that a rule wants to see; those that it wants not to see are not what it is about.
func subjects(conditions []host.Condition) (links []string, subnets []netip.Prefix) {
	for _, c := range conditions {
		switch {
		case c.Not:
		case c.Field == host.In || c.Field == host.Out:
			links = append(links, c.Names...)
		case c.Field == host.Source || c.Field == host.Dest:
			for _, p := range c.Prefixes {
				if !p.Addr().IsMulticast() && !p.IsSingleIP() {
					subnets = append(subnets, p)
				}
			}
		}
	}
	slices.Sort(links)
	return slices.Compact(links), subnets
}
