// SPDX-License-Identifier: Apache-2.0

package schema

import "encoding/xml"

// A Text is the value of an attribute for which the dialect tells "given as the empty string" from
// "not given". The zero Text, "", is not given; [Empty] is given as the empty string.
//
//	TXT{Name: "note", Value: schema.Empty} // <txt name='note' value=''/>
type Text string

// Empty is an attribute that is given, as the empty string. It is no text that a document can hold.
const Empty Text = "\x00"

// String returns the text itself: "" both for absent and for [Empty].
func (t Text) String() string {
	if t == Empty {
		return ""
	}
	return string(t)
}

// Given reports whether the document has the attribute at all.
func (t Text) Given() bool { return t != "" }

// MarshalText returns the same text as String.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText accepts every text; the empty one becomes [Empty].
func (t *Text) UnmarshalText(text []byte) error {
	*t = Text(text)
	if len(text) == 0 {
		*t = Empty
	}
	return nil
}

// MarshalXMLAttr leaves an absent text out.
func (t Text) MarshalXMLAttr(name xml.Name) (xml.Attr, error) {
	if t == "" {
		return xml.Attr{}, nil
	}
	return xml.Attr{Name: name, Value: t.String()}, nil
}
