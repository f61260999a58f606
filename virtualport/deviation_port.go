// SPDX-License-Identifier: Apache-2.0

package virtualport

import "github.com/go-virtnet/virtnet/network/schema"

// Where the profile of a port is put together in another way than libvirt 11.3 does it.
const (
	// UntypedProfile corrects that an interface with a profile for which nobody gives a type can never be attached: it is taken
	// for one without a profile.
	UntypedProfile schema.Deviation = "virtualport-untyped"
	// MidonetMerge corrects that the interfaceid of a Midonet switch counts only if the interface has it: a network and a
	// port group may give it too.
	MidonetMerge schema.Deviation = "virtualport-midonet-merge"
	// ForeignParameter corrects that parameters in a profile without a type are dropped when the type from elsewhere
	// has none of that name: they are refused. Identities are dropped all the same, because libvirt makes them up
	// before it knows the type.
	ForeignParameter schema.Deviation = "virtualport-foreign"
	// EmptyParameters corrects that a profile which keeps no parameter is written with an empty <parameters>.
	EmptyParameters schema.Deviation = "virtualport-parameters-empty"
)
