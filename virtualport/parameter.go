// SPDX-License-Identifier: Apache-2.0

package virtualport

import (
	"fmt"
	"io"
	"slices"

	"github.com/go-virtnet/virtnet/network/schema"
)

// parameterNames are the attributes of <parameters>, in the order of the document.
var parameterNames = []string{"managerid", "typeid", "typeidversion", "instanceid", "interfaceid", "profileid"}

// Get returns the parameter of that name as text, "" for one that p, which may be nil, does not have.
func (p *Parameters) Get(name string) string {
	if p == nil {
		return ""
	}
	switch name {
	case "managerid":
		return p.ManagerID.String()
	case "typeid":
		return p.TypeID.String()
	case "typeidversion":
		return p.TypeIDVersion.String()
	case "instanceid":
		return idText(p.InstanceID)
	case "interfaceid":
		return idText(p.InterfaceID)
	case "profileid":
		return p.ProfileID
	}
	return ""
}

func idText(id schema.UUID) string {
	if id.IsZero() {
		return ""
	}
	return id.String()
}

// take copies the parameter of that name.
func (p *Parameters) take(name string, from *Parameters) {
	switch name {
	case "managerid":
		p.ManagerID = from.ManagerID
	case "typeid":
		p.TypeID = from.TypeID
	case "typeidversion":
		p.TypeIDVersion = from.TypeIDVersion
	case "instanceid":
		p.InstanceID = from.InstanceID
	case "interfaceid":
		p.InterfaceID = from.InterfaceID
	case "profileid":
		p.ProfileID = from.ProfileID
	}
}

// Needs returns the parameters that a switch of the kind needs, in the order of the document.
func (t Type) Needs() []string {
	switch t {
	case Qbg:
		return []string{"managerid", "typeid", "typeidversion", "instanceid"}
	case Qbh:
		return []string{"profileid"}
	case OpenVSwitch, Midonet:
		return []string{"interfaceid"}
	}
	return nil
}

// Generates returns the parameters that are made up for a switch of the kind where they are missing: identities that the
// switch learns. A kind that is not known yet may turn out to need both. That of Midonet is known to Midonet already.
func (t Type) Generates() []string {
	switch t {
	case 0:
		return []string{"instanceid", "interfaceid"}
	case Qbg:
		return []string{"instanceid"}
	case OpenVSwitch:
		return []string{"interfaceid"}
	}
	return nil
}

// Missing returns the parameters that the type of v needs and v does not have, without those that are made up if
// generated says so. It is empty for a nil v.
func (v *VirtualPort) Missing(generated bool) []string {
	if v == nil {
		return nil
	}
	return slices.DeleteFunc(v.Type.Needs(), func(name string) bool {
		return v.Parameters.Get(name) != "" || generated && slices.Contains(v.Type.Generates(), name)
	})
}

// Generate makes up the identities that v, which may be nil, needs and does not have, from 16 bytes of random each, and
// returns which. The error is one of random.
func (v *VirtualPort) Generate(random io.Reader) (made []string, err error) {
	if v == nil {
		return nil, nil
	}
	for _, name := range v.Type.Generates() {
		if v.Parameters.Get(name) != "" {
			continue
		}
		id, err := schema.NewUUID(random)
		if err != nil {
			return made, fmt.Errorf("make an identity for a switch: %w", err)
		}
		if v.Parameters == nil {
			v.Parameters = new(Parameters)
		}
		v.Parameters.take(name, &Parameters{InstanceID: id, InterfaceID: id})
		made = append(made, name)
	}
	return made, nil
}
