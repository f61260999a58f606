// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"encoding/xml"
	"io"

	"github.com/go-virtnet/virtnet/internal/xmldoc"
)

// MaxSize is how many bytes a document may have.
const MaxSize = xmldoc.MaxSize

// A Reader says how the text of a document is read. The zero Reader reads what libvirt 11.3 reads and
// keeps what it does not know.
type Reader struct {
	// Strict refuses elements and attributes that are not known, and an element given a second time where
	// only the first counts.
	Strict bool
	// Compat drops what libvirt drops: all that is not known, and later ones of what counts once. It takes
	// any token for a switch where libvirt does.
	Compat bool
	// Aliases takes more words for some values: see [ModeAlias].
	Aliases bool
}

// Read reads the document with the root element root from r into v, a pointer to a struct with the tags
// of encoding/xml. The error is one of r, or [Violations] with all that cannot be read; complete says
// whether everything else is in v nevertheless.
//
// A text may have 16 MiB, half a million tags, elements nested 256 deep, and 256 attributes an element.
func (how Reader) Read(r io.Reader, root string, v any) (src Source, complete bool, err error) {
	got, err := xmldoc.Read(r, root, v, xmldoc.Options(how))
	if err != nil {
		return Source{}, false, err
	}
	return NewSource(got.Text), got.Complete, violations(got.Problems)
}

// Decode reads the element that start opens into v, a pointer to a struct whose XMLName says its name: for the UnmarshalXML method of a document: what
// [xml.Unmarshal] makes of a document then is what the zero [Reader] makes of it.
func Decode(d *xml.Decoder, start xml.StartElement, v any) error {
	return violations(xmldoc.Decode(d, start, v, xmldoc.Options{}))
}

// Encode writes the document v, a pointer to a struct with the tags of encoding/xml: for the MarshalXML method of a
// document: what [xml.Marshal] makes of it then is what [AppendDocument] does, but for the layout.
func Encode(e *xml.Encoder, root string, v any) error {
	text, err := xmldoc.AppendCompact(nil, root, v)
	if err != nil {
		return err
	}
	var n Node
	if err := xml.Unmarshal(text, &n); err != nil {
		return err
	}
	return n.MarshalXML(e, xml.StartElement{})
}

// AppendDocument appends the text of the document v, a pointer to a struct with the tags of encoding/xml,
// to b in the layout of libvirt.
func AppendDocument(b []byte, root string, v any) ([]byte, error) {
	return xmldoc.Append(b, root, v)
}

func violations(problems []xmldoc.Problem) error {
	if len(problems) == 0 {
		return nil
	}
	vs := make(Violations, len(problems))
	for i, p := range problems {
		vs[i] = &Violation{Path: p.Path, Rule: p.Rule, Line: p.Line, Column: p.Column, Msg: p.Msg}
	}
	return vs
}
