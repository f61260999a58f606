// SPDX-License-Identifier: Apache-2.0

package schema

import "strings"

// A YesNo is a switch with three states. The zero YesNo is absent: the document leaves the choice to
// the default of the place.
type YesNo uint8

// The states that a document can spell.
const (
	Yes YesNo = iota + 1
	No
)

var yesNoWords = []string{"", "yes", "no"}

// String returns "yes", "no", or "" when absent.
func (v YesNo) String() string { return Word(yesNoWords, v) }

// MarshalText returns the same text as String.
func (v YesNo) MarshalText() ([]byte, error) { return MarshalWord(yesNoWords, v) }

// UnmarshalText accepts exactly "yes" and "no".
func (v *YesNo) UnmarshalText(text []byte) error { return UnmarshalWord(yesNoWords, text, v) }

// UnmarshalLax reads text as libvirt does in the few places where it takes any token: "yes" in any
// case is Yes, everything else is No.
func (v *YesNo) UnmarshalLax(text []byte) error {
	*v = No
	if strings.EqualFold(string(text), "yes") {
		*v = Yes
	}
	return nil
}

// Or returns whether v is Yes, and absent when the document does not say.
func (v YesNo) Or(absent bool) bool {
	if v == 0 {
		return absent
	}
	return v == Yes
}

// An OnOff is a switch with three states. The zero OnOff is absent: the document leaves the choice to
// the default of the place.
type OnOff uint8

// The states that a document can spell.
const (
	On OnOff = iota + 1
	Off
)

var onOffWords = []string{"", "on", "off"}

// String returns "on", "off", or "" when absent.
func (v OnOff) String() string { return Word(onOffWords, v) }

// MarshalText returns the same text as String.
func (v OnOff) MarshalText() ([]byte, error) { return MarshalWord(onOffWords, v) }

// UnmarshalText accepts exactly "on" and "off".
func (v *OnOff) UnmarshalText(text []byte) error { return UnmarshalWord(onOffWords, text, v) }

// UnmarshalLax reads text as libvirt does in the few places where it takes any token: "off" is Off,
// everything else is On.
func (v *OnOff) UnmarshalLax(text []byte) error {
	*v = On
	if string(text) == "off" {
		*v = Off
	}
	return nil
}

// Or returns whether v is On, and absent when the document does not say.
func (v OnOff) Or(absent bool) bool {
	if v == 0 {
		return absent
	}
	return v == On
}
