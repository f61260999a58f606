// SPDX-License-Identifier: Apache-2.0

//go:build linux

package nft

import (
	"cmp"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
	"golang.org/x/sys/unix"
)

// noLink is the link of a filter that no link leads to. No link can have the name.
const noLink = "no link"

// A ruleset is what there is in our table.
type ruleset struct {
	table    table
	chains   []chain
	elements []element
	rules    []rule
	annexes  [annexCount]*found
}

// filters are those of the wanted networks. Whatever is not as a filter makes it becomes a rule, at the beginning of the
// list it has to do with, that is like no other.
func (s *ruleset) filters(wanted func(network string) bool) []host.Filter {
	programs := programs(s.rules)
	leads := map[string][]element{}
	for _, e := range s.elements {
		if network, ok := e.owner(); ok {
			leads[network] = append(leads[network], e)
		}
	}
	chains := map[string]*[lists]*chain{}
	for i, c := range s.chains {
		l, network, ok := chainOwner(c.name)
		if !ok || !wanted(network) {
			continue
		}
		if chains[network] == nil {
			chains[network] = &[lists]*chain{}
		}
		chains[network][l] = &s.chains[i]
	}
	broken := s.broken(programs)
	var filters []host.Filter
	for network, own := range chains {
		f := host.Filter{Network: network, Link: linkOf(leads[network])}
		for l, dest := range [lists]*[]host.Rule{&f.From, &f.To, &f.NAT} {
			var rules []host.Rule
			if c := own[l]; c != nil {
				rules = readList(list(l), f.Link, *c, programs[c.name])
			} else {
				rules = append(rules, strange("no chain %s", list(l).chain(network)))
			}
			// Where there are no rules nothing is lost if no packet gets there.
			if len(rules) > 0 && broken[l] != "" {
				rules = slices.Insert(rules, 0, strange("%s", broken[l]))
			}
			*dest = append(faults(list(l), network, leads[network]), rules...)
		}
		for i, a := range annexes {
			s.annexes[i].restore(a, &f)
		}
		filters = append(filters, f)
	}
	slices.SortFunc(filters, func(a, b host.Filter) int { return cmp.Compare(a.Network, b.Network) })
	return filters
}

// broken tells of each list why no packet gets as far as the maps; empty if all is well.
func (s *ruleset) broken(programs map[string][][]expr) (why [lists]string) {
	for _, base := range bases() {
		fault := ""
		i := slices.IndexFunc(s.chains, func(c chain) bool { return c.name == base.name })
		switch {
		case s.table.dormant:
			fault = "table " + Table + " is dormant"
		case i < 0:
			fault = "no chain " + base.name
		case !s.chains[i].is(base, len(base.leads)):
			fault = "chain " + base.name + " has another hook or other rules"
		case !base.leadsBy(programs[base.name]):
			fault = "chain " + base.name + " has other rules"
		}
		for _, lead := range base.leads {
			why[lead.to] = fault
		}
	}
	return why
}

// leadsBy reports whether the chain's rules are these.
func (b base) leadsBy(programs [][]expr) bool {
	return slices.EqualFunc(b.leads, programs, func(l lead, steps []expr) bool { return slices.Equal(l.program(), steps) })
}

// linkOf is the link that leads to a network's chains, or all of them if somebody made more.
func linkOf(leads []element) string {
	var links []string
	for _, e := range leads {
		links = append(links, e.link)
	}
	if len(links) == 0 {
		return noLink
	}
	slices.Sort(links)
	return strings.Join(slices.Compact(links), " ")
}

// readList reads the rules of a chain.
func readList(l list, link string, c chain, programs [][]expr) (rules []host.Rule) {
	if l == nat {
		if len(programs) > 0 && slices.Equal(programs[0], staysOnLink(link)) {
			programs = programs[1:]
		} else {
			rules = append(rules, strange("packets that stay on %s are translated", link))
		}
	}
	if c.kind != "" {
		rules = append(rules, strange("chain %s has a hook of its own", c.name))
	}
	for _, steps := range programs {
		rules = append(rules, readRule(steps))
	}
	return rules
}

// faults are what is wrong with the entries of one map that have to do with a network.
func faults(l list, network string, leads []element) (rules []host.Rule) {
	right := verdict{unix.NFT_JUMP, l.chain(network)}
	found := false
	for _, e := range leads {
		switch {
		case e.set != l.String():
		case e.leads == right:
			found = true
		default:
			rules = append(rules, strange("map %s leads from %s to %v", l, e.link, e.leads))
		}
	}
	if !found {
		rules = append(rules, strange("no link in map %s", l))
	}
	return rules
}

// owner is the network to whose chain an element leads, from whichever map.
func (e element) owner() (network string, ok bool) {
	v, ok := e.leads.(verdict)
	if !ok {
		return "", false
	}
	_, network, ok = chainOwner(v.chain)
	return network, ok
}
