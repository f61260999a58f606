// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"net/netip"
)

// A FirewallReader reads what other programs filter on its machine.
type FirewallReader interface {
	// Firewall returns the packet filters of the machine that are none of the backend's own. A machine without any has a
	// zero Firewall.
	Firewall(ctx context.Context) (*Firewall, error)
}

// A Firewall is what other programs filter on a machine: Docker, firewalld, ufw, an administrator.
type Firewall struct {
	Chains []Chain
	// Unread names filters that are there and could not be read.
	Unread []string `json:",omitempty"`
}

// A Chain is a list of rules. Packets that pass its hook pass through it, unless it has none: then only other chains lead
// to it.
type Chain struct {
	// Family is nft's word: ip, ip6, inet or bridge. Chains lead to those of their own table only.
	Family, Table, Name string
	// Hook is nft's word: prerouting, input, forward, output or postrouting; empty is none.
	Hook     string `json:",omitempty"`
	Priority int    `json:",omitempty"`
	// Policy is Accept or Drop, for what no rule of a chain with a hook decides.
	Policy Verdict     `json:",omitempty"`
	Rules  []ChainRule `json:",omitempty"`
}

// String is how nft names the chain.
func (c Chain) String() string { return c.Family + " " + c.Table + " " + c.Name }

// The verdicts that only other programs' rules have. A rule without a verdict leaves the packet to the next one.
const (
	// Accept ends the way through the chains of a hook's chain.
	Accept Verdict = "accept"
	// Jump goes through another chain, Goto does not come back from it.
	Jump Verdict = "jump"
	Goto Verdict = "goto"
	// Other is a verdict that was not understood.
	Other Verdict = "other"
)

// A ChainRule is a rule of somebody else.
type ChainRule struct {
	// Text is the rule in nft's words; what was not understood stands in brackets.
	Text string
	// When holds the conditions. All of them have to hold.
	When []Condition `json:",omitempty"`
	Do   Verdict     `json:",omitempty"`
	// To is the chain of Jump and Goto.
	To string `json:",omitempty"`
}

// A Field is what a condition looks at.
type Field string

// The fields. The zero Field is one that was not understood: whether the condition holds is not known.
const (
	// In and Out are the names of the links, in Names.
	In  Field = "in"
	Out Field = "out"
	// Version is the IP version, in Families, Transport the protocol, in Protos.
	Version   Field = "version"
	Transport Field = "transport"
	// Source and Dest are addresses, in Prefixes.
	Source Field = "source"
	Dest   Field = "dest"
	// SourcePort and DestPort are in Ports.
	SourcePort Field = "source port"
	DestPort   Field = "dest port"
	// State is that of the connection, in States.
	State Field = "state"
	// Forwarded is that the destination was translated.
	Forwarded Field = "forwarded"
)

// A Condition holds if the field is one of the values or, with Not, none of them.
type Condition struct {
	Field    Field          `json:",omitempty"`
	Not      bool           `json:",omitempty"`
	Names    []string       `json:",omitempty"` // one that ends with * is a beginning
	Families []Family       `json:",omitempty"`
	Protos   []Proto        `json:",omitempty"`
	Prefixes []netip.Prefix `json:",omitempty"`
	Ports    []PortRange    `json:",omitempty"`
	States   ConnState      `json:",omitempty"`
}

// A ConnState is a set of states of a connection.
type ConnState uint32

// The states, as the kernel numbers them.
const (
	Invalid     ConnState = 1 << 0
	Established ConnState = 1 << 1
	Related     ConnState = 1 << 2
	New         ConnState = 1 << 3
	Untracked   ConnState = 1 << 6
)
