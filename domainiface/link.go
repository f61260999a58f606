// SPDX-License-Identifier: Apache-2.0

package domainiface

import "github.com/go-virtnet/virtnet/network/schema"

// A Link is a <link> element: whether the cable is plugged in.
//
//	<link state='down'/>
type Link struct {
	// State is up when absent.
	State LinkState `xml:"state,attr,omitempty" doc:"blank"`
	schema.Extra
}

// A LinkState is the state of a link. The zero LinkState is absent, which means up.
type LinkState uint8

// The states.
const (
	LinkUp LinkState = iota + 1
	LinkDown
)

var linkStateWords = []string{"", "up", "down"}

// String returns the word of the document, "" when absent.
func (s LinkState) String() string { return schema.Word(linkStateWords, s) }

// MarshalText returns the same text as String.
func (s LinkState) MarshalText() ([]byte, error) { return schema.MarshalWord(linkStateWords, s) }

// UnmarshalText accepts the two words of the document.
func (s *LinkState) UnmarshalText(text []byte) error {
	return schema.UnmarshalWord(linkStateWords, text, s)
}

// A Teaming is a <teaming> element: two devices that the guest uses as one, a virtio one that stays and
// one that is taken away for migration.
//
//	<teaming type='persistent'/>
//	<teaming type='transient' persistent='ua-backup0'/>
type Teaming struct {
	Type TeamingType `xml:"type,attr,omitempty" doc:"blank"`
	// Persistent is the alias of the one that stays.
	Persistent string `xml:"persistent,attr,omitempty"`
	schema.Extra
}

// A TeamingType says which of the two a device is. The zero TeamingType is absent.
type TeamingType uint8

// The types.
const (
	TeamingPersistent TeamingType = iota + 1
	TeamingTransient
)

var teamingTypeWords = []string{"", "persistent", "transient"}

// String returns the word of the document, "" when absent.
func (t TeamingType) String() string { return schema.Word(teamingTypeWords, t) }

// MarshalText returns the same text as String.
func (t TeamingType) MarshalText() ([]byte, error) { return schema.MarshalWord(teamingTypeWords, t) }

// UnmarshalText accepts the two words of the document.
func (t *TeamingType) UnmarshalText(text []byte) error {
	return schema.UnmarshalWord(teamingTypeWords, text, t)
}

func (t *Teaming) check(c *schema.Check) {
	switch t.Type {
	case TeamingPersistent:
		c.Rule(t.Persistent == "", "teaming-persistent", "@persistent", "the device that stays names no other")
	case TeamingTransient:
		c.Rule(t.Persistent != "", "teaming-transient", "@persistent", "the device that is taken away needs the alias of the one that stays")
	default:
		c.Rule(t.Persistent == "", "teaming-type", "@type", "a <teaming> with an alias needs a type: persistent or transient")
	}
}
