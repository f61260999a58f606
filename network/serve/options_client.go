// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"net/netip"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/go-virtnet/virtnet/network/host"
)

// inUse reports whether options say anything of DHCP.
func (d *dhcpDirectives) inUse() bool {
	return len(d.matchers)+len(d.options)+len(d.boots)+len(d.hosts)+len(d.ranges)+len(d.ignore)+len(d.ignoreNames)+len(d.broadcast) > 0
}

// host is what options say of a client, nil for nothing.
func (d *dhcpDirectives) host(mac host.MAC, id, name string) *optionHost {
	var byName *optionHost
	for i := range d.hosts {
		h := &d.hosts[i]
		switch {
		case h.card != nil && h.card.matches(mac), h.id != "" && strings.EqualFold(h.id, id):
			return h
		case h.card == nil && h.id == "" && name != "" && strings.EqualFold(h.name, name):
			byName = h
		}
	}
	return byName
}

// tags are what a client is called. own are those that it has from elsewhere.
func (d *dhcpDirectives) tags(own tags, known *optionHost, mac host.MAC, name string, is6 bool, get func(code uint16) ([]byte, bool)) tags {
	t := own
	if known != nil {
		t = append(append(t, known.tags...), "known")
	}
	for i := range d.matchers {
		if m := &d.matchers[i]; m.matches(mac, name, t, is6, get) {
			t = append(t, m.tag)
		}
	}
	return t
}

// rangeTags are what clients with an address are called.
func (d *dhcpDirectives) rangeTags(addr netip.Addr) (t tags) {
	for _, r := range d.ranges {
		if !addr.Less(r.Start) && !r.End.Less(addr) {
			t = append(t, r.tag)
		}
	}
	return t
}

// chosen are the options for a client: of two with the same number the one with conditions, and of those the last.
func (d *dhcpDirectives) chosen(t tags, is6 bool) map[uint16]*optionLine {
	var all map[uint16]*optionLine
	for i := range d.options {
		o := &d.options[i]
		if o.is6 != is6 || !t.has(o.when) {
			continue
		}
		if before := all[o.code]; before == nil || len(o.when) > 0 || len(before.when) == 0 {
			all = with(all, o.code, o)
		}
	}
	return all
}

// bootFor is the program for a client: the last line with conditions that hold, or else the last without, nil for none.
func (d *dhcpDirectives) bootFor(t tags) *bootLine {
	var found *bootLine
	for i := range d.boots {
		b := &d.boots[i]
		if t.has(b.when) && (found == nil || len(b.when) > 0 || len(found.when) == 0) {
			found = b
		}
	}
	return found
}

// ignores finds out what options say of a client, and reports whether it is to get no answer.
func (d *dhcp4) ignores(a *ask) bool {
	a.known = d.said.host(a.mac, a.id, a.name)
	own := tags{d.server.Link}
	if a.static != nil && a.known == nil {
		own = append(own, "known")
	}
	if a.forBOOTP() {
		own = append(own, "bootp")
	}
	a.tags = d.said.tags(own, a.known, a.mac, a.name, false, func(code uint16) ([]byte, bool) {
		o := dhcpv4.GenericOptionCode(code)
		return a.GetOneOption(o), a.Options.Has(o)
	})
	if a.tags.any(d.said.ignoreNames) {
		a.name = ""
	}
	return a.known != nil && a.known.ignore || a.tags.any(d.said.ignore)
}
