// SPDX-License-Identifier: Apache-2.0

package network

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/virtualport"
)

// A Choice says whether a port has to be given one of the devices of its network.
type Choice uint8

// The choices.
const (
	ChooseNone      Choice = iota // the port is plugged into a bridge
	ChooseShared                  // a device that other ports may use too
	ChooseExclusive               // a device of its own
)

var choiceWords = []string{"none", "shared", "exclusive"}

// String returns none, shared or exclusive.
func (c Choice) String() string { return schema.Word(choiceWords, c) }

// A Resolution is what a network makes of the request for a port. It belongs to the caller.
type Resolution struct {
	// Port is the request with all that the network and its port group add, and its plug. Where a device has to be chosen the
	// plug lacks only that: its Dev or its Address.
	Port *Port
	// Choice is whether a device has to be chosen, and how.
	Choice Choice
	// Group is the name of the port group in force; empty is none.
	Group string
	// Settings are all that holds for the port, with who decided it, in a fixed order and with what is usual where nobody did.
	Settings []schema.Setting
	// Dropped are parameters of profiles that were given and are of no use, see [virtualport.Merged].
	Dropped []schema.Setting
}

// A Resolver says how the request for a port is met by its network. The zero Resolver is for a <networkport> by all rules
// and makes nothing up.
type Resolver struct {
	Rules schema.Rules
	// Random makes the identities for a switch that nobody gives. Nil makes none up: the settings then say which would be.
	Random io.Reader
	// Asks is where the request stands, for messages.
	Asks Places
}

// Places are paths of what a request for a port asks for. An empty one is that in a <networkport>.
type Places struct {
	Group, VirtualPort, Bandwidth, VLAN, Isolated, TrustGuest string
	PlugType, Plug, Managed, Driver                           string // of a port without a network
}

// or fills in what is empty.
func (p Places) or(q Places) Places {
	for _, path := range []struct{ to, from *string }{
		{&p.Group, &q.Group}, {&p.VirtualPort, &q.VirtualPort}, {&p.Bandwidth, &q.Bandwidth},
		{&p.VLAN, &q.VLAN}, {&p.Isolated, &q.Isolated}, {&p.TrustGuest, &q.TrustGuest},
		{&p.PlugType, &q.PlugType}, {&p.Plug, &q.Plug}, {&p.Managed, &q.Managed}, {&p.Driver, &q.Driver},
	} {
		if *path.to == "" {
			*path.to = *path.from
		}
	}
	return p
}

// portPlaces are the paths in a <networkport>.
func portPlaces() Places {
	return Places{
		Group: "/networkport/group", VirtualPort: "/networkport/virtualport", Bandwidth: "/networkport/bandwidth",
		VLAN: "/networkport/vlan", Isolated: "/networkport/port/@isolated", TrustGuest: "/networkport/rxfilters/@trustGuest",
		PlugType: "/networkport/plug/@type", Plug: "/networkport/plug", Managed: "/networkport/plug/@managed", Driver: "/networkport/plug/driver",
	}
}

// Resolve is [Resolver.Resolve] by the zero Resolver: it tells what would come of a request, and changes nothing.
func Resolve(n *Network, req *Port) (*Resolution, error) { return Resolver{}.Resolve(n, req) }

// Resolve works out what a port of the network n gets: from the request itself, else from its port group, else from the
// network, and the profile for a switch from all three together. It looks at documents only: the same documents and
// randomness make the same port. n and req stay as they are. A nil n is no network: the port then brings its plug with it,
// and what it does not say is as usual.
//
// Its errors begin with the path of what cannot be: a group that n does not have is fs.ErrNotExist, profiles that
// contradict each other, are not complete or not for this kind of network fs.ErrInvalid, and a guaranteed rate where
// none can be guaranteed errors.ErrUnsupported.
func (r Resolver) Resolve(n *Network, req *Port) (*Resolution, error) {
	s := &resolving{Resolver: r, n: n, res: &Resolution{Port: req.Clone()}}
	s.Asks = s.Asks.or(portPlaces())
	steps := []func() error{s.group, s.virtualPort, s.checkSwitch, s.plug, s.inherit, s.floor, s.complete}
	if n == nil {
		s.n = new(Network)
		steps = []func() error{s.virtualPort, s.ownPlug, s.inherit, s.noFloor, s.complete}
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return s.res, nil
}

// resolving is one run of a Resolver.
type resolving struct {
	Resolver
	n      *Network
	g      *PortGroup // nil is none
	gPath  string     // of g
	merged *virtualport.Merged
	res    *Resolution
}

// say records a setting. Without a value it is what is usual.
func (s *resolving) say(name, value, usual string, by schema.Layer, path string) {
	if value == "" {
		value, by, path = usual, schema.ByDefault, ""
	}
	s.res.Settings = append(s.res.Settings, schema.Setting{Name: name, Value: value, Layer: by, Path: path})
}

// group finds the port group: that of the request or, if it names none, the default one.
func (s *resolving) group() error {
	want := s.res.Port.Group
	for i := range s.n.PortGroups {
		if g := &s.n.PortGroups[i]; want != "" && g.Name == want || want == "" && g.Default == schema.Yes {
			s.g, s.gPath = g, fmt.Sprintf("/network/portgroup[%d]", i+1)
			s.res.Group = g.Name
			break
		}
	}
	switch {
	case want == "" && s.g != nil:
		s.say("portgroup", cmp.Or(s.g.Name, "one without a name"), "", schema.ByNetwork, s.gPath+"/@default")
	case want != "" && s.g == nil && !s.Rules.Skips(UnknownGroup):
		return refuse(fs.ErrNotExist, string(UnknownGroup), s.Asks.Group, "network %q has no port group %s%s", s.n.Name, schema.Quote(want), s.n.groups())
	case want != "" && s.g == nil:
		s.say("portgroup", "", "none", 0, "")
	default:
		s.say("portgroup", want, "none", schema.ByInterface, s.Asks.Group)
	}
	return nil
}

// groups lists the port groups of n for a message.
func (n *Network) groups() string {
	var names []string
	for i := range n.PortGroups {
		names = append(names, n.PortGroups[i].Name)
	}
	if names == nil {
		return ""
	}
	return ": it has " + strings.Join(names, ", ")
}

// virtualPort puts the profile together.
func (s *resolving) virtualPort() error {
	sources := []virtualport.Source{
		{Layer: schema.ByInterface, Path: s.Asks.VirtualPort, Profile: s.res.Port.VirtualPort},
		{Layer: schema.ByNetwork, Path: "/network/virtualport", Profile: s.n.VirtualPort},
	}
	if s.g != nil {
		sources = append(sources, virtualport.Source{Layer: schema.ByPortGroup, Path: s.gPath + "/virtualport", Profile: s.g.VirtualPort})
	}
	m, err := virtualport.Merge(s.Rules, sources...)
	if err != nil {
		return err
	}
	s.merged, s.res.Port.VirtualPort, s.res.Dropped = m, m.Profile, m.Dropped
	return nil
}

// checkSwitch checks that the network has a switch of the type of the profile.
func (s *resolving) checkSwitch() error {
	m := s.merged
	if m.Profile == nil || s.n.switches(m.Profile.Type, s.Rules) {
		return nil
	}
	if m.Profile.Type == 0 {
		return refuse(fs.ErrInvalid, "port-virtualport-type", s.Asks.VirtualPort+"/@type", "neither the port nor network %q nor its port group gives the profile a type", s.n.Name)
	}
	from := ""
	if by := m.Settings[0]; by.Layer != schema.ByInterface {
		from = ", which " + by.Path + " says"
	}
	return refuse(fs.ErrInvalid, "port-virtualport-type", s.Asks.VirtualPort+"/@type", "a network of mode %s%s has no use for a port of type %s%s",
		s.n.Mode(), s.n.withoutBridge(), m.Profile.Type, from)
}

// switches reports whether ports of n can be plugged into a switch of the type. Absent, it is a profile without a type.
func (n *Network) switches(t virtualport.Type, rules schema.Rules) bool {
	switch {
	case n.Managed():
		return false
	case n.HostBridge():
		return t == virtualport.OpenVSwitch
	case n.Mode() == ForwardHostdev:
		return t == virtualport.Qbh || t == virtualport.Qbg && rules.Skips(VirtualPortMode)
	}
	return t == virtualport.Qbg || t == virtualport.Qbh
}

// floorAttr is where a <bandwidth> has a guaranteed rate.
const floorAttr = "/inbound/@floor"

// noFloor refuses a guaranteed rate without a network.
func (s *resolving) noFloor() error {
	if b := s.res.Port.Bandwidth; b == nil || b.Inbound == nil || b.Inbound.Floor.Uint() == 0 {
		return nil
	}
	return refuse(errors.ErrUnsupported, "port-floor-mode", s.Asks.Bandwidth+floorAttr, "only a network can guarantee a rate")
}

// floor refuses a guaranteed rate where none can be guaranteed.
func (s *resolving) floor() error {
	b := s.res.Port.Bandwidth
	if b == nil || b.Inbound == nil || b.Inbound.Floor.Uint() == 0 {
		return nil
	}
	path := s.Asks.Bandwidth + floorAttr
	if !s.n.Managed() {
		return refuse(errors.ErrUnsupported, "port-floor-mode", path, "a network of mode %s%s cannot guarantee a rate: only one of mode none, nat, route or open can",
			s.n.Mode(), s.n.withoutBridge())
	}
	if s.n.Bandwidth == nil || s.n.Bandwidth.Inbound == nil {
		return refuse(errors.ErrUnsupported, "port-floor-network", path, "network %q has no <inbound> of its own that a rate could be guaranteed of", s.n.Name)
	}
	return nil
}

// complete makes up what the switch needs, and tells the settings of the profile.
func (s *resolving) complete() error {
	if err := s.merged.Complete(s.Random); err != nil {
		return err
	}
	if s.merged.Profile == nil {
		s.say("virtualport", "", "none", 0, "")
	}
	for _, v := range s.merged.Settings {
		s.say("virtualport "+v.Name, v.Value, "", v.Layer, v.Path)
		if v.Value == "" {
			last := &s.res.Settings[len(s.res.Settings)-1]
			last.Value, last.Layer = "made up", schema.Generated
		}
	}
	return nil
}

// A refusal is a violation of a rule about a port and its network, of a kind that errors.Is finds.
type refusal struct {
	violation *schema.Violation
	kind      error
}

func refuse(kind error, rule, path, format string, args ...any) error {
	return &refusal{&schema.Violation{Path: path, Rule: rule, Msg: fmt.Sprintf(format, args...)}, kind}
}

func (r *refusal) Error() string { return r.violation.Error() }

func (r *refusal) Unwrap() error { return r.kind }

// As gives the violation.
func (r *refusal) As(target any) bool {
	v, ok := target.(**schema.Violation)
	if ok {
		*v = r.violation
	}
	return ok
}
