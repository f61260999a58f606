// SPDX-License-Identifier: Apache-2.0

package virtualport

import (
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/go-virtnet/virtnet/network/schema"
)

// A Source is one of the profiles that [Merge] puts together.
type Source struct {
	Layer   schema.Layer
	Path    string       // of the element in its document: /network/virtualport
	Profile *VirtualPort // nil says nothing
}

// A Merged is a profile that was put together, and who gave what. Its fields belong to the caller.
type Merged struct {
	// Profile is what holds; nil is no profile.
	Profile *VirtualPort
	// Settings are the type and the parameters of Profile, in the order of the document; an identity that was not made up
	// yet has no value.
	Settings []schema.Setting
	// Dropped are parameters that were given and do not hold, because the type that holds has none of that name, or because
	// nobody gives a type at all.
	Dropped []schema.Setting

	asks string // path of the element that asks
}

// Merge puts the profile of a port together from what the interface, the network and the port group say, in this
// order: the first that says something wins, and a later one may only fill gaps. What two of them say differently is a
// [*ConflictError]; a parameter that is of no use for the type is a [*schema.Violation], see [ForeignParameter]. The sources stay
// as they are. Nothing is made up and nothing needs to be complete; see [Merged.Complete].
func Merge(rules schema.Rules, sources ...Source) (*Merged, error) {
	m := new(Merged)
	if len(sources) > 0 {
		m.asks = sources[0].Path
	}
	sources = slices.DeleteFunc(slices.Clone(sources), func(s Source) bool { return s.Profile == nil })
	if len(sources) == 0 {
		return m, nil
	}
	m.Profile = &VirtualPort{Parameters: new(Parameters), Extra: schema.CloneExtra(sources[0].Profile.Extra)}
	if p := sources[0].Profile.Parameters; p != nil {
		m.Profile.Parameters.Extra = schema.CloneExtra(p.Extra)
	}
	if err := m.mergeType(sources); err != nil {
		return nil, err
	}
	if m.Profile.Type == 0 {
		m.leaveUntyped(rules, sources)
		return m, nil
	}
	empty := true
	for _, name := range parameterNames {
		for _, s := range sources {
			if err := m.fold(rules, name, s); err != nil {
				return nil, err
			}
			empty = empty && (s.Layer != schema.ByInterface || s.Profile.Parameters.Get(name) == "")
		}
	}
	if p := m.Profile.Parameters; len(m.Settings) == 1 && schema.IsBare(p.Extra) && (empty || !rules.Skips(EmptyParameters)) {
		m.Profile.Parameters = nil
	}
	return m, nil
}

// mergeType takes the type from the first source that has one.
func (m *Merged) mergeType(sources []Source) error {
	for _, s := range sources {
		t := s.Profile.Type
		if t == 0 {
			continue
		}
		given := schema.Setting{Name: "type", Value: t.String(), Layer: s.Layer, Path: s.Path + "/@type"}
		switch m.Profile.Type {
		case 0:
			m.Profile.Type = t
			m.Settings = append(m.Settings, given)
		case t:
		default:
			return &ConflictError{Parameter: "type", First: m.Settings[0], Second: given}
		}
	}
	return nil
}

// leaveUntyped is what becomes of profiles that nobody gives a type: none, or what the interface says where that is how it
// is done.
func (m *Merged) leaveUntyped(rules schema.Rules, sources []Source) {
	keep := sources[0].Layer == schema.ByInterface && rules.Skips(UntypedProfile)
	for i, s := range sources {
		for _, name := range parameterNames {
			given, ok := s.setting(name)
			switch {
			case !ok:
			case keep && i == 0:
				m.Settings = append(m.Settings, given)
			default:
				m.Dropped = append(m.Dropped, given)
			}
		}
	}
	m.Profile = nil
	if keep {
		m.Profile = sources[0].Profile.Clone()
	}
}

// fold fills the gap that the parameter may be with what s says.
func (m *Merged) fold(rules schema.Rules, name string, s Source) error {
	given, ok := s.setting(name)
	if !ok {
		return nil
	}
	if t := m.Profile.Type; !t.takes(name) {
		identity := slices.Contains(Type(0).Generates(), name)
		if s.Profile.Type == 0 && !identity && !rules.Skips(ForeignParameter) {
			return &schema.Violation{Path: given.Path, Rule: string(ForeignParameter),
				Msg: fmt.Sprintf("the %s makes it a port of type %s, which has no %s", m.Settings[0].Layer, t, name)}
		}
		m.Dropped = append(m.Dropped, given)
		return nil
	}
	if m.Profile.Type == Midonet && s.Layer != schema.ByInterface && rules.Skips(MidonetMerge) {
		m.Dropped = append(m.Dropped, given)
		return nil
	}
	first, ok := m.Setting(name)
	switch {
	case !ok:
		m.Profile.Parameters.take(name, s.Profile.Parameters)
		m.Settings = append(m.Settings, given)
	case first.Value != given.Value:
		return &ConflictError{Parameter: name, First: first, Second: given}
	}
	return nil
}

// setting returns what s says about a parameter, if anything.
func (s Source) setting(name string) (schema.Setting, bool) {
	value := s.Profile.Parameters.Get(name)
	return schema.Setting{Name: name, Value: value, Layer: s.Layer, Path: s.Path + "/parameters/@" + name}, value != ""
}

// Setting returns the type ("type") or a parameter of that name with who gave it, if Profile has it.
func (m *Merged) Setting(name string) (schema.Setting, bool) {
	for _, s := range m.Settings {
		if s.Name == name {
			return s, true
		}
	}
	return schema.Setting{}, false
}

// Complete makes sure that Profile has all that its type needs: identities are made up from random, the rest must be there, or
// it is a [*schema.Violation] for the first that is not. Where random is nil no identity is made up; Settings tell which
// one would be. It is done once, and after everything else that can go wrong.
func (m *Merged) Complete(random io.Reader) error {
	v := m.Profile
	if v == nil || v.Type == 0 {
		return nil
	}
	if missing := v.Missing(true); len(missing) > 0 {
		return &schema.Violation{Path: m.asks + "/parameters/@" + missing[0], Rule: "virtualport-complete",
			Msg: fmt.Sprintf("the %s makes it a port of type %s, which needs a %s, and nobody gives one", m.Settings[0].Layer, v.Type, missing[0])}
	}
	made := slices.DeleteFunc(v.Type.Generates(), func(name string) bool { return v.Parameters.Get(name) != "" })
	if random != nil {
		if _, err := v.Generate(random); err != nil {
			return err
		}
	}
	for _, name := range made {
		m.Settings = append(m.Settings, schema.Setting{Name: name, Value: v.Parameters.Get(name), Layer: schema.Generated})
	}
	slices.SortStableFunc(m.Settings[1:], func(a, b schema.Setting) int {
		return slices.Index(parameterNames, a.Name) - slices.Index(parameterNames, b.Name)
	})
	return nil
}

// A ConflictError says that two layers say different things about one parameter of a profile. It is fs.ErrInvalid.
type ConflictError struct {
	Parameter     string // type, managerid ...
	First, Second schema.Setting
}

// Error begins with the path of the interface's parameter or, where the interface is not concerned, that of the later one.
func (e *ConflictError) Error() string { return e.violation().Error() }

// violation is the error as one of a document.
func (e *ConflictError) violation() *schema.Violation {
	at, other := e.Second, e.First
	if e.First.Layer == schema.ByInterface {
		at, other = e.First, e.Second
	}
	return &schema.Violation{Path: at.Path, Rule: "virtualport-conflict", Msg: fmt.Sprintf("the %s says %s %s, and the %s says %s (%s)",
		at.Layer, e.Parameter, schema.Quote(at.Value), other.Layer, schema.Quote(other.Value), other.Path)}
}

// As gives the error as a violation, too.
func (e *ConflictError) As(target any) bool {
	v, ok := target.(**schema.Violation)
	if ok {
		*v = e.violation()
	}
	return ok
}

// Is reports that what is contradictory is invalid.
func (e *ConflictError) Is(target error) bool { return target == fs.ErrInvalid }
