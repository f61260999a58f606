// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// A Filter is the packet filter of one network: three lists of rules, each tried from the first to the last. A packet
// that is forwarded passes From if it came in by Link, then To if it goes out by Link; the filters of both networks
// have to let it pass. NAT is tried once for each connection that came in by Link and leaves the machine by another
// link. A list that ends without a verdict lets the packet pass. The zero Filter is none.
type Filter struct {
	// Network is the identity of the network, a UUID; it names the chains.
	Network string
	// Link is the bridge whose packets these are.
	Link string
	From []Rule `json:",omitempty"`
	To   []Rule `json:",omitempty"`
	NAT  []Rule `json:",omitempty"`
	// DHCP holds the addresses, of IPv4, that the network's DHCP server answers from, in their order. Where such an answer
	// leaves by a veth pair, whose other end gets it without the checksum that a network card would have filled in, it
	// leaves as one that has none: a client that reads packets itself takes it. That is [Clear]; not every machine can do it.
	DHCP []netip.Addr `json:",omitempty"`
	// Forwards leads connections on to guests of the network, in the form of [JoinForwards]. From and To have to let them
	// pass. Where one comes in by Link as well, which is a guest that asks for a sibling or itself at an address of the machine,
	// it leaves with the Link's address as its source, or the answer would not come back by the machine.
	Forwards []PortForward `json:",omitempty"`
	// HideClients gives all connections that are led to a guest the Link's address as their source, for guests that know no
	// way to anywhere else.
	HideClients bool `json:",omitempty"`
	// Guarded keeps guests from the machine itself, at all of its addresses, but for ICMP, answers, and what is in Open, in the
	// form of [JoinServices].
	Guarded bool      `json:",omitempty"`
	Open    []Service `json:",omitempty"`
}

// IsZero reports whether there is no filter.
func (f Filter) IsZero() bool {
	return f.Link == "" && len(f.From)+len(f.To)+len(f.NAT)+len(f.DHCP)+len(f.Forwards)+len(f.Open) == 0 && !f.HideClients && !f.Guarded
}

// Equal reports whether both filters decide alike, rule by rule.
func (f Filter) Equal(g Filter) bool {
	if f.IsZero() || g.IsZero() {
		return f.IsZero() == g.IsZero()
	}
	return f.Network == g.Network && f.Link == g.Link &&
		slices.Equal(f.From, g.From) && slices.Equal(f.To, g.To) && slices.Equal(f.NAT, g.NAT) && slices.Equal(f.DHCP, g.DHCP) &&
		slices.Equal(f.Forwards, g.Forwards) && f.HideClients == g.HideClients &&
		f.Guarded == g.Guarded && slices.Equal(f.Open, g.Open)
}

// String is the filter as text, a rule a line.
func (f Filter) String() string {
	var b strings.Builder
	for _, list := range []struct {
		name  string
		rules []Rule
	}{{"from", f.From}, {"to", f.To}, {"nat", f.NAT}} {
		for _, r := range list.rules {
			fmt.Fprintf(&b, "filter %s %s %s: %s\n", f.Network, list.name, f.Link, r)
		}
	}
	for _, addr := range f.DHCP {
		fmt.Fprintf(&b, "filter %s dhcp %s: meta oifkind \"veth\" ip saddr %s udp sport 67 udp dport 68 udp checksum set 0\n", f.Network, f.Link, addr)
	}
	for _, p := range f.Forwards {
		fmt.Fprintf(&b, "filter %s forward %s: %s\n", f.Network, f.Link, p)
	}
	if f.HideClients {
		fmt.Fprintf(&b, "filter %s forward %s: oifname %q ct status dnat masquerade\n", f.Network, f.Link, f.Link)
	}
	for _, line := range f.inputLines() {
		fmt.Fprintf(&b, "filter %s input %s: %s\n", f.Network, f.Link, line)
	}
	return b.String()
}

func (f Filter) check() error {
	if f.IsZero() {
		return nil
	}
	if err := firstError(CheckID(f.Network), CheckName(f.Link)); err != nil {
		return err
	}
	for i, addr := range f.DHCP {
		if !addr.Is4() || addr.IsUnspecified() || i > 0 && !f.DHCP[i-1].Less(addr) {
			return invalid("DHCP server address %s of the filter of %s: addresses of IPv4 in their order are needed", addr, f.Network)
		}
	}
	if err := firstError(checkForwards(f.Forwards), f.checkInput()); err != nil {
		return err
	}
	if f.HideClients && len(f.Forwards) == 0 {
		return invalid("filter of %s: no clients to be hidden", f.Network)
	}
	for _, r := range slices.Concat(f.From, f.To) {
		if err := r.check(false); err != nil {
			return err
		}
	}
	for _, r := range f.NAT {
		if err := r.check(true); err != nil {
			return err
		}
	}
	return nil
}

// CheckID says whether id can identify a network or server on a machine: 1 to 64 lower-case letters, digits and dashes,
// which every UUID is. The error wraps fs.ErrInvalid.
func CheckID(id string) error {
	if id == "" || len(id) > 64 || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || id[0] == '-' {
		return invalid("identity %q", id)
	}
	return nil
}

// SetFilter replaces the filter of a network as a whole, in one transaction: nft -f, with the network's chains and its
// entries in the verdict maps. Was is what it replaces; a zero Filter on either side is none. It never touches the rules
// of another network. If the machine has no filter of this network although Was says so, or the other way round, that is
// fs.ErrNotExist or fs.ErrExist. A link has one filter, and a DHCP server's address and a forwarded port one network: if another
// network has one for it, that is fs.ErrExist.
type SetFilter struct {
	Network string
	Filter  Filter `json:",omitzero"`
	Was     Filter `json:",omitzero"`
}

// Check refuses rules that no packet filter can hold, and filters of another network.
func (o SetFilter) Check() error {
	for _, f := range []Filter{o.Filter, o.Was} {
		if err := f.check(); err != nil {
			return err
		}
		if !f.IsZero() && f.Network != o.Network {
			return invalid("filter of %q for %q", f.Network, o.Network)
		}
	}
	return CheckID(o.Network)
}

// Inverse puts the old filter back.
func (o SetFilter) Inverse() Op { return SetFilter{Network: o.Network, Filter: o.Was, Was: o.Filter} }

// Scope is the filter of the network.
func (o SetFilter) Scope() Scope { return Scope{Filters: []string{o.Network}} }

// Holds if the network has exactly these rules.
func (o SetFilter) Holds(f *Facts) bool { return f.Filter(o.Network).Equal(o.Filter) }

func (o SetFilter) String() string {
	if o.Filter.IsZero() {
		return fmt.Sprintf("nft delete filter of %s (%s)", o.Was.Link, o.Network)
	}
	s := fmt.Sprintf("nft filter of %s (%s): %d rules from it, %d to it, %d nat",
		o.Filter.Link, o.Network, len(o.Filter.From), len(o.Filter.To), len(o.Filter.NAT))
	for _, p := range o.Filter.Forwards {
		s += "; " + p.String()
	}
	for _, line := range o.Filter.inputLines() {
		s += "; input " + line
	}
	return s
}
