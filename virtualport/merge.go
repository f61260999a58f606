// SPDX-License-Identifier: Apache-2.0

package virtualport

// Merge returns what the sources say together, the first that says something winning. Later sources may only
// fill gaps; conflict is the name of the first thing that two of them say differently, "" when there is none.
// Parameters that the type does not take are passed over, except in the first source that is not nil, which is
// where the result starts from. It is nil when no source has a type.
func Merge(sources ...*VirtualPort) (merged *VirtualPort, conflict string) {
	typed := false
	for _, s := range sources {
		typed = typed || s != nil && s.Type != 0
	}
	if !typed {
		return nil, ""
	}
	for _, s := range sources {
		switch {
		case s == nil:
		case merged == nil:
			merged = s.Clone()
			if merged.Parameters == nil {
				merged.Parameters = new(Parameters)
			}
		default:
			if conflict := merged.fold(s); conflict != "" {
				return nil, conflict
			}
		}
	}
	if len(merged.Parameters.given()) == 0 && len(merged.Parameters.Extra.Attrs)+len(merged.Parameters.Extra.Nodes) == 0 {
		merged.Parameters = nil
	}
	return merged, ""
}

// fold fills the gaps of v with what s says.
func (v *VirtualPort) fold(s *VirtualPort) (conflict string) {
	if !fill(&v.Type, s.Type) {
		return "type"
	}
	if s.Parameters == nil {
		return ""
	}
	to, from, t := v.Parameters, s.Parameters, v.Type
	switch {
	case t.takes("managerid") && !fill(&to.ManagerID, from.ManagerID):
		return "managerid"
	case t.takes("typeid") && !fill(&to.TypeID, from.TypeID):
		return "typeid"
	case t.takes("typeidversion") && !fill(&to.TypeIDVersion, from.TypeIDVersion):
		return "typeidversion"
	case t.takes("instanceid") && !fill(&to.InstanceID, from.InstanceID):
		return "instanceid"
	case t.takes("interfaceid") && !fill(&to.InterfaceID, from.InterfaceID):
		return "interfaceid"
	case t.takes("profileid") && !fill(&to.ProfileID, from.ProfileID):
		return "profileid"
	}
	return ""
}

// fill sets to, when it is absent, to from. It reports whether they are now the same or from is absent.
func fill[T comparable](to *T, from T) bool {
	var absent T
	if from == absent {
		return true
	}
	if *to == absent {
		*to = from
	}
	return *to == from
}
