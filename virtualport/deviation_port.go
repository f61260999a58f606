// SPDX-License-Identifier: Apache-2.0

package virtualport

import "github.com/go-virtnet/virtnet/network/schema"

// Where the profile of a port is put together in another way than libvirt 11.3 does it.
const (
	// UntypedProfile takes a profile for which nobody gives a type as none at all. libvirt refuses to attach an interface that
	// has one.
	UntypedProfile schema.Deviation = "virtualport-untyped"
	// MidonetMerge takes the interfaceid of a Midonet switch also from a network and its port group. libvirt takes it from the
	// interface only.
	MidonetMerge schema.Deviation = "virtualport-midonet-merge"
	// ForeignParameter refuses parameters in a profile without a type that the type it gets from elsewhere does not have.
	// libvirt drops them. Identities are dropped here too: libvirt makes them up before it knows the type.
	ForeignParameter schema.Deviation = "virtualport-foreign"
	// EmptyParameters leaves out the element <parameters> of a profile that keeps none. libvirt writes it empty.
	EmptyParameters schema.Deviation = "virtualport-parameters-empty"
)
