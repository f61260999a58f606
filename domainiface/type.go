// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"errors"

	"github.com/go-virtnet/virtnet/network/schema"
)

// A Type is what an [Interface] is connected to. The zero Type is absent, which means [User].
type Type uint8

// The types. The first five are those that this library does the host work of; the others are read,
// kept and written.
const (
	Network   Type = iota + 1 // a virtual network
	Bridge                    // a bridge of the host
	Direct                    // a macvtap device on a network device of the host
	Hostdev                   // a PCI or USB network device of the host, handed over
	Ethernet                  // a tap device that somebody else connects
	User                      // a network in the hypervisor's own process
	VhostUser                 // a socket of a switch in another process
	VDPA                      // a vhost-vdpa device
	Server                    // a TCP connection to another guest, listening
	Client                    // a TCP connection to another guest, calling
	MCast                     // a multicast group
	UDP                       // a UDP connection
	Internal                  // a network inside the hypervisor
	Null                      // nothing
	VDS                       // a VMware distributed switch
)

var typeWords = []string{"", "network", "bridge", "direct", "hostdev", "ethernet", "user", "vhostuser", "vdpa",
	"server", "client", "mcast", "udp", "internal", "null", "vds"}

// String returns the word of the document, "" when absent.
func (t Type) String() string { return schema.Word(typeWords, t) }

// MarshalText returns the same text as String.
func (t Type) MarshalText() ([]byte, error) { return schema.MarshalWord(typeWords, t) }

// UnmarshalText accepts the words of the document.
func (t *Type) UnmarshalText(text []byte) error {
	err := schema.UnmarshalWord(typeWords, text, t)
	var syntax *schema.SyntaxError
	if string(text) == physical && errors.As(err, &syntax) {
		syntax.Hint = Direct.String()
	}
	return err
}

// physical is the word that the proposals of 2010 have for [Direct].
const physical = "physical"

// UnmarshalAlias accepts also physical, which is [Direct].
func (t *Type) UnmarshalAlias(text []byte) error {
	if string(text) == physical {
		*t = Direct
		return nil
	}
	return t.UnmarshalText(text)
}

// Kind returns the type, [User] when the document does not say.
func (i *Interface) Kind() Type {
	if i.Type == 0 {
		return User
	}
	return i.Type
}
