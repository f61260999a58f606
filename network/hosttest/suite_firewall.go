// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"context"
	"errors"
	"net/netip"
	"reflect"
	"testing"

	"github.com/go-virtnet/virtnet/network/host"
)

// othersFilter is what other programs filter: a chain with a hook, and one that it leads to.
func othersFilter() host.Firewall {
	in := host.Condition{Field: host.In, Names: []string{"docker0"}}
	return host.Firewall{Chains: []host.Chain{{
		Family: "inet", Table: "others", Name: "forward", Hook: "forward", Priority: 5, Policy: host.Drop,
		Rules: []host.ChainRule{
			{Text: `iifname "docker0" counter accept`, When: []host.Condition{in}, Do: host.Accept},
			{Text: "ct state { established, related } counter accept", When: []host.Condition{{Field: host.State, States: host.Established | host.Related}}, Do: host.Accept},
			{Text: "counter jump users", Do: host.Jump, To: "users"},
		},
	}, {
		Family: "inet", Table: "others", Name: "users",
		Rules: []host.ChainRule{{
			Text: `oifname != "eth0" counter drop`, When: []host.Condition{{Field: host.Out, Not: true, Names: []string{"eth0"}}}, Do: host.Drop,
		}, {
			Text: "meta nfproto ipv4 ip saddr 10.0.0.0/8 counter reject",
			When: []host.Condition{{Field: host.Version, Families: []host.Family{host.IPv4}}, {Field: host.Source, Prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}},
			Do:   host.Reject,
		}},
	}}}
}

// testFirewall wants what other programs filter, and nothing of the backend's own.
func (s Suite) testFirewall(t *testing.T) {
	own := []host.Op{host.SetFilter{Network: "n1", Filter: forwarding()}, host.SetFilter{Network: "n2", Filter: host.Filter{Network: "n2", Link: "br1", Guarded: true}}}
	x := s.open(t, own...)
	reader, ok := x.backend.(host.FirewallReader)
	if !ok || s.Others == nil {
		t.Skip("the backend is no FirewallReader, or the caller cannot make other programs filter")
	}
	equal := func(when string, want host.Firewall) *host.Firewall {
		t.Helper()
		got, err := reader.Firewall(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		if !reflect.DeepEqual(*got, want) {
			t.Fatalf("%s: got\n%+v\nwant\n%+v", when, *got, want)
		}
		return got
	}
	equal("at first", host.Firewall{})
	x.do(own...)
	equal("with filters of its own", host.Firewall{})
	s.Others(t, othersFilter())
	got := equal("with those of others", othersFilter())
	got.Chains[0].Rules[0].Text = "changed"
	clear(got.Chains[1].Rules)
	equal("after the caller wrote into the answer", othersFilter())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := reader.Firewall(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v after the caller has gone, want %v", err, context.Canceled)
	}
}
