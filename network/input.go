// SPDX-License-Identifier: Apache-2.0

package network

import (
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// An Input is a <virtnet:input> element: what guests may reach of the host itself, at all of its addresses. It is an extension of
// this library, in a namespace of its own; libvirt 11.3 drops it. Without it guests reach everything, also those of isolated
// networks.
//
// Guests that are kept from the host still get what the network itself has for them: addresses, names and files as far as it
// serves them, ICMP of both versions with router advertisements, answers to what the host has asked them, and port forwards.
//
//	<virtnet:input policy='reject' xmlns:virtnet='https://go-virtnet.github.io/schemas/network/1.0'>
//	  <virtnet:allow proto='tcp' port='22'/>
//	</virtnet:input>
type Input struct {
	Policy InputPolicy `xml:"policy,attr,omitempty"`
	// Allow is what guests may reach nevertheless.
	Allow []InputAllow `xml:"https://go-virtnet.github.io/schemas/network/1.0 allow" doc:"prefix=virtnet"`
	schema.Extra
}

// An InputAllow is a <virtnet:allow> element: ports of the host that guests may reach.
//
//	<virtnet:allow proto='tcp' port='8000-8010'/>
type InputAllow struct {
	Proto PortProto `xml:"proto,attr,omitempty"`
	Ports Ports     `xml:"port,attr,omitempty"`
	schema.Extra
}

// An InputPolicy is what becomes of packets to the host. The zero InputPolicy is absent.
type InputPolicy uint8

// The policies.
const (
	InputAccept InputPolicy = iota + 1
	InputReject
)

var inputPolicyWords = []string{"", "accept", "reject"}

// String returns the word of the document, "" when absent.
func (p InputPolicy) String() string { return schema.Word(inputPolicyWords, p) }

// MarshalText returns the same text as String.
func (p InputPolicy) MarshalText() ([]byte, error) { return schema.MarshalWord(inputPolicyWords, p) }

// UnmarshalText accepts the words of the document.
func (p *InputPolicy) UnmarshalText(text []byte) error {
	return schema.UnmarshalWord(inputPolicyWords, text, p)
}

// guarded reports whether guests are kept from the host.
func (n *Network) guarded() bool { return n.Input != nil && n.Input.Policy == InputReject }

// openServices are what guests may reach of the host although they are kept from it.
func (n *Network) openServices() []host.Service {
	if !n.guarded() {
		return nil
	}
	var list []host.Service
	open := func(proto host.Proto, port uint16) {
		list = append(list, host.Service{Proto: proto, Ports: host.PortRange{From: port, To: port}})
	}
	for i := range n.IPs {
		ip := &n.IPs[i]
		switch {
		case ip.DHCP != nil && ip.Family == IPv6:
			open(host.UDP, 547)
		case ip.DHCP != nil:
			open(host.UDP, 67)
		}
		if ip.TFTP != nil {
			open(host.UDP, 69)
		}
	}
	if n.DNS == nil || n.DNS.Enable != schema.No {
		open(host.UDP, 53)
		open(host.TCP, 53)
	}
	for i := range n.Input.Allow {
		a := &n.Input.Allow[i]
		list = append(list, host.Service{Proto: a.Proto.number(), Ports: host.PortRange{From: a.Ports.First, To: a.Ports.Last}})
	}
	return host.JoinServices(list)
}

func (n *Network) checkInput(c *schema.Check) {
	p := n.Input
	if p == nil || c.Rules().Compat {
		return
	}
	checkOwn(c, p.Extra, []string{"policy"}, []string{"allow"})
	c.Deviates(n.Managed(), InputMode, "", "guests of mode %s do not come by a bridge of the host's own", n.Mode())
	c.Deviates(p.Policy != 0, InputWithoutPolicy, "@policy", "an <input> needs a policy: accept or reject")
	c.Deviates(p.Policy != InputAccept || len(p.Allow) == 0, InputAllowed, "virtnet:allow[1]", "guests may reach everything as it is")
	ports := 0
	for i := range p.Allow {
		a := &p.Allow[i]
		ports += a.Ports.count()
		c.At("virtnet:allow", i, func() {
			checkOwn(c, a.Extra, []string{"proto", "port"}, nil)
			c.Deviates(a.Proto != 0, InputAllowed, "@proto", "it needs a proto: tcp, udp or sctp")
			c.Deviates(a.Ports.Given(), InputAllowed, "@port", "it needs a port, or a range such as 8000-8010")
		})
	}
	c.Deviates(ports <= maxForwarded, InputAllowed, "", "%d ports are allowed, of which %d can be", ports, maxForwarded)
}

func (p *Input) detach() {
	p.Allow = clonesOf(p.Allow, func(a *InputAllow) { a.Extra = schema.CloneExtra(a.Extra) })
	p.Extra = schema.CloneExtra(p.Extra)
}
