// SPDX-License-Identifier: Apache-2.0

package domainiface

import "github.com/go-virtnet/virtnet/network/schema"

// Where interfaces meet networks in another way than in libvirt 11.3.
const (
	// EarlyIdentity makes up the identities of a profile on a network only when the interface is attached and nobody gave
	// them. libvirt makes them up when the interface is defined, and then refuses to attach it to a network that has its own.
	EarlyIdentity schema.Deviation = "virtualport-identity-early"
)
