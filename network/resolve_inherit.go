// SPDX-License-Identifier: Apache-2.0

package network

import (
	"strings"

	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/qos"
	"github.com/go-virtnet/virtnet/virtualport"
)

// inherit settles what the port says itself, else its port group, else the network. Each is taken as a whole.
func (s *resolving) inherit() error {
	s.vlan()
	s.bandwidth()
	s.isolated()
	s.trustGuest()
	return nil
}

func (s *resolving) vlan() {
	p := s.res.Port
	by, path := schema.ByInterface, s.Asks.VLAN
	switch {
	case p.VLAN != nil:
	case s.g != nil && s.g.VLAN != nil:
		p.VLAN, by, path = s.g.VLAN.Clone(), schema.ByPortGroup, s.gPath+"/vlan"
	case s.n.VLAN != nil:
		p.VLAN, by, path = s.n.VLAN.Clone(), schema.ByNetwork, "/network/vlan"
	}
	s.say("vlan", vlanText(p.VLAN), "none", by, path)
}

// vlanText tells a VLAN to people: "42", "trunk of 42 (native untagged), 123".
func vlanText(v *virtualport.VLAN) string {
	if v == nil {
		return ""
	}
	var tags []string
	for _, t := range v.Tags {
		text := t.ID.String()
		if t.NativeMode != 0 {
			text += " (native " + t.NativeMode.String() + ")"
		}
		tags = append(tags, text)
	}
	text := strings.Join(tags, ", ")
	if v.IsTrunk() {
		return "trunk of " + text
	}
	return text
}

// bandwidth: the limits of the network are those of all ports together, and not inherited.
func (s *resolving) bandwidth() {
	p := s.res.Port
	by, path := schema.ByInterface, s.Asks.Bandwidth
	if !limits(p.Bandwidth) && s.g != nil && limits(s.g.Bandwidth) {
		p.Bandwidth, by, path = s.g.Bandwidth.Clone(), schema.ByPortGroup, s.gPath+"/bandwidth"
	}
	var in, out *qos.Rate
	if p.Bandwidth != nil {
		in, out = p.Bandwidth.Inbound, p.Bandwidth.Outbound
	}
	s.say("bandwidth inbound", rateText(in), "unlimited", by, path+"/inbound")
	s.say("bandwidth outbound", rateText(out), "unlimited", by, path+"/outbound")
}

// limits reports whether b says anything: an element without a direction is none.
func limits(b *qos.Bandwidth) bool { return b != nil && (b.Inbound != nil || b.Outbound != nil) }

// rateText tells a rate to people: "average 1000 kB/s, peak 5000 kB/s, burst 1024 KiB".
func rateText(r *qos.Rate) string {
	if r == nil {
		return ""
	}
	var parts []string
	for _, part := range []struct {
		name string
		n    schema.Number
		unit string
	}{{"average", r.Average, "kB/s"}, {"peak", r.Peak, "kB/s"}, {"floor", r.Floor, "kB/s"}, {"burst", r.Burst, "KiB"}} {
		if part.n.Uint() > 0 {
			parts = append(parts, part.name+" "+part.n.String()+" "+part.unit)
		}
	}
	return strings.Join(parts, ", ")
}

// isolated: port groups have no such setting.
func (s *resolving) isolated() {
	p := s.res.Port
	var own, network schema.YesNo
	if p.Port != nil {
		own = p.Port.Isolated
	}
	if s.n.Port != nil {
		network = s.n.Port.Isolated
	}
	if own != 0 || network == 0 {
		s.say("isolated", own.String(), "no", schema.ByInterface, s.Asks.Isolated)
		return
	}
	if p.Port == nil {
		p.Port = new(virtualport.Port)
	}
	p.Port.Isolated = network
	s.say("isolated", network.String(), "", schema.ByNetwork, "/network/port/@isolated")
}

func (s *resolving) trustGuest() {
	p := s.res.Port
	var trust schema.YesNo
	by, path := schema.ByInterface, s.Asks.TrustGuest
	if p.RxFilters != nil {
		trust = p.RxFilters.TrustGuest
	}
	switch {
	case trust != 0:
	case s.g != nil && s.g.TrustGuestRxFilters != 0:
		trust, by, path = s.g.TrustGuestRxFilters, schema.ByPortGroup, s.gPath+"/@trustGuestRxFilters"
	case s.n.TrustGuestRxFilters != 0:
		trust, by, path = s.n.TrustGuestRxFilters, schema.ByNetwork, "/network/@trustGuestRxFilters"
	}
	if trust != 0 {
		if p.RxFilters == nil {
			p.RxFilters = new(RxFilters)
		}
		p.RxFilters.TrustGuest = trust
	}
	s.say("rx filters", trust.String(), "no", by, path)
}
