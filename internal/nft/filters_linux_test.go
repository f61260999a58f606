// SPDX-License-Identifier: Apache-2.0

package nft

import (
	"slices"
	"testing"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// inKernel is the table as the kernel lists it with these filters.
func inKernel(filters ...host.Filter) *ruleset {
	s := &ruleset{}
	for i, a := range annexes {
		s.annexes[i] = a.nothing()
		for _, f := range filters {
			s.annexes[i] = s.annexes[i].after(a, host.SetFilter{Network: f.Network, Filter: f})
		}
	}
	for _, b := range bases() {
		s.chains = append(s.chains, chain{name: b.name, kind: b.kind, hook: b.hooknum, priority: b.prionum, policy: accept, use: uint32(len(b.leads))})
		for _, lead := range b.leads {
			s.rules = append(s.rules, rule{b.name, lead.program()})
		}
	}
	for _, f := range filters {
		for l := range lists {
			name := l.chain(f.Network)
			s.chains = append(s.chains, chain{name: name})
			s.elements = append(s.elements, element{l.String(), f.Link, verdict{unix.NFT_JUMP, name}})
			if l == nat {
				s.rules = append(s.rules, rule{name, staysOnLink(f.Link)})
			}
			for _, r := range l.rules(f) {
				s.rules = append(s.rules, rule{name, program(nil, r)})
			}
		}
	}
	return s
}

func everyNetwork(string) bool { return true }

func TestFilters(t *testing.T) {
	require.Empty(t, (&ruleset{}).filters(everyNetwork))
	want := severalNetworks()
	slices.SortFunc(want, func(a, b host.Filter) int { return len(b.Network) - len(a.Network) })
	s := inKernel(want...)
	slices.SortFunc(want, func(a, b host.Filter) int { return map[bool]int{true: -1, false: 1}[a.Network < b.Network] })
	require.Equal(t, want, s.filters(everyNetwork))
	require.Equal(t, want[:1], s.filters(func(network string) bool { return network == want[0].Network }))
}

// Each damage is seen, and only in the filter that it concerns.
func TestDamagedFilters(t *testing.T) {
	f, other := natNetwork("n1", "br0"), natNetwork("n2", "br1")
	cut := func(s *ruleset, which func(element) bool) { s.elements = slices.DeleteFunc(s.elements, which) }
	jump := func(chain string) verdict { return verdict{unix.NFT_JUMP, chain} }
	cases := []struct {
		name   string
		damage func(*ruleset)
		// want is at the beginning of a list of the filter.
		want string
	}{
		{"no entries", func(s *ruleset) { cut(s, func(e element) bool { return e.link == "br0" }) }, "no link in map from"},
		{"no entry to", func(s *ruleset) { cut(s, func(e element) bool { return e.leads == jump("to-n1") }) }, "no link in map to"},
		{"another entry", func(s *ruleset) { s.elements = append(s.elements, element{"from", "br9", jump("from-n1")}) }, ""},
		{"goto", func(s *ruleset) { s.elements[0].leads = verdict{unix.NFT_GOTO, "from-n1"} }, "map from leads from br0 to goto from-n1"},
		{"wrong map", func(s *ruleset) { s.elements = append(s.elements, element{"to", "br9", jump("from-n1")}) }, "map to leads from br9 to jump from-n1"},
		{"no nat chain", func(s *ruleset) {
			s.chains = slices.DeleteFunc(s.chains, func(c chain) bool { return c.name == "nat-n1" })
			cut(s, func(e element) bool { return e.leads == jump("nat-n1") })
		}, "no link in map nat"},
		{"no to chain", func(s *ruleset) {
			s.chains = slices.DeleteFunc(s.chains, func(c chain) bool { return c.name == "to-n1" })
		}, "no chain to-n1"},
		{"hook", func(s *ruleset) { s.chains[2].kind = "filter" }, "chain from-n1 has a hook of its own"},
		{"flushed chain", func(s *ruleset) {
			s.rules = slices.DeleteFunc(s.rules, func(r rule) bool { return r.chain == "nat-n1" })
		}, "packets that stay on br0 are translated"},
		{"one more rule", func(s *ruleset) { s.rules = append(s.rules, rule{"to-n1", []expr{count{}}}) }, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := inKernel(f, other)
			c.damage(s)
			got := s.filters(everyNetwork)
			require.Len(t, got, 2)
			require.False(t, got[0].Equal(f), "%s", got[0])
			require.False(t, got[0].IsZero())
			require.Equal(t, other, got[1])
			if c.want != "" {
				require.Contains(t, got[0].String(), "unknown: "+c.want)
			}
		})
	}
}

// What all filters share is seen in all of them.
func TestDamagedTable(t *testing.T) {
	f, quiet := natNetwork("n1", "br0"), host.Filter{Network: "n2", Link: "br1"}
	cases := []struct {
		name   string
		damage func(*ruleset)
		want   string
	}{
		{"dormant", func(s *ruleset) { s.table.dormant = true }, "table virtnet is dormant"},
		{"no chain", func(s *ruleset) { s.chains = s.chains[1:] }, "no chain forward"},
		{"other priority", func(s *ruleset) { s.chains[1].priority = 0 }, "chain postrouting has another hook or other rules"},
		{"no hook", func(s *ruleset) { s.chains[0] = chain{name: "forward"} }, "chain forward has another hook or other rules"},
		{"flushed", func(s *ruleset) { s.rules = s.rules[2:] }, "chain forward has other rules"},
		{"other order", func(s *ruleset) { s.rules[0], s.rules[1] = s.rules[1], s.rules[0] }, "chain forward has other rules"},
		{"more rules", func(s *ruleset) { s.rules = append(s.rules, rule{"postrouting", nil}) }, "chain postrouting has other rules"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := inKernel(f, quiet)
			c.damage(s)
			got := s.filters(everyNetwork)
			require.Contains(t, got[0].String(), "unknown: "+c.want)
			require.False(t, got[0].Equal(f))
			require.Equal(t, quiet, got[1], "nothing is lost where there are no rules")
		})
	}
}
