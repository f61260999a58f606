// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"maps"
	"slices"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/rfc1035label"
)

// network is what a guest has to know of its network.
func (d *dhcp6) network(a *ask6, out *dhcpv6.Message) {
	own := a.subnet.Prefix.Addr()
	said := d.said.chosen(a.tags, true)
	const servers, search = 23, 24
	if d.server.DNS != nil && said[servers] == nil {
		out.AddOption(dhcpv6.OptDNS(own.AsSlice()))
	}
	if d.server.Domain != "" && said[search] == nil && a.wants(search) {
		out.AddOption(dhcpv6.OptDomainSearchList(&rfc1035label.Labels{Labels: []string{strings.TrimSuffix(d.server.Domain, ".")}}))
	}
	for _, code := range slices.Sorted(maps.Keys(said)) {
		if line := said[code]; line.forced || a.wants(dhcpv6.OptionCode(code)) {
			out.AddOption(&dhcpv6.OptionGeneric{OptionCode: dhcpv6.OptionCode(code), OptionData: line.value.bytes(own)})
		}
	}
	d.fullName(a, out)
}

// fullName tells a client that asks for it by what name it is known, and that others are told here: RFC 4704.
func (d *dhcp6) fullName(a *ask6, out *dhcpv6.Message) {
	const byServer, overridden, fqdn = 1, 1 << 1, 39
	name, asked := a.name, a.Options.FQDN()
	if static := d.staticHost(a); static != nil && static.Name != "" {
		name, _, _ = strings.Cut(static.Name, ".")
	}
	if name == "" || asked == nil && !a.wants(fqdn) {
		return
	}
	value := []byte{byServer}
	if asked != nil && asked.Flags&byServer == 0 {
		value[0] |= overridden
	}
	// Before it has an address a client is told its own part of the name only.
	whole := d.server.Domain != "" && out.MessageType != dhcpv6.MessageTypeAdvertise
	if whole {
		name += "." + d.server.Domain
	}
	wire, ok := wireName(name)
	if !ok {
		return
	}
	if !whole {
		wire = wire[:len(wire)-1] // the root belongs to names that are whole
	}
	out.AddOption(&dhcpv6.OptionGeneric{OptionCode: fqdn, OptionData: append(value, wire...)})
}

// wants reports whether a client asks for an option. One that does not say what it asks for gets all.
func (a *ask6) wants(code dhcpv6.OptionCode) bool {
	return a.GetOneOption(dhcpv6.OptionORO) == nil || a.IsOptionRequested(code)
}

// ignores finds out what options say of a client, and reports whether it is to get no answer.
func (d *dhcp6) ignores(a *ask6) bool {
	mac := a.hardware()
	a.known = d.said.host(mac, a.duid, a.name)
	own := tags{d.server.Link, "dhcpv6"}
	if d.staticHost(a) != nil && a.known == nil {
		own = append(own, "known")
	}
	a.tags = d.said.tags(own, a.known, mac, a.name, true, func(code uint16) ([]byte, bool) {
		o := a.GetOneOption(dhcpv6.OptionCode(code))
		if o == nil {
			return nil, false
		}
		return o.ToBytes(), true
	})
	if a.tags.any(d.said.ignoreNames) {
		a.name = ""
	}
	return a.known != nil && a.known.ignore || a.tags.any(d.said.ignore)
}
