// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"maps"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

// A profiled is who has a profile: a card, or a virtual function of one.
type profiled struct {
	link string
	vf   int
}

// addProfile asks the port extender, which has every profile.
func (m *Machine) addProfile(o host.AddProfile) error {
	if _, err := m.link(o.Link); err != nil {
		return err
	}
	who := profiled{o.Link, o.VF}
	if was, has := m.profiles[who]; has {
		return exists("profile %q of %s", was.Name, o.Link)
	}
	m.profiles[who] = o.Profile
	return nil
}

func (m *Machine) delProfile(o host.DelProfile) error {
	who := profiled{o.Link, o.VF}
	if m.profiles[who] != o.Profile {
		return missing("profile %q of %s", o.Name, o.Link)
	}
	delete(m.profiles, who)
	return nil
}

func (m *Machine) dropProfiles(link string) {
	maps.DeleteFunc(m.profiles, func(who profiled, _ host.Profile) bool { return who.link == link })
}

func (m *Machine) profileFacts(scope host.Scope, f *host.Facts) {
	for _, p := range m.profiles {
		if slices.Contains(scope.Profiles, p.Link) {
			f.Profiles = append(f.Profiles, p)
		}
	}
}
