// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"encoding/xml"
	"io"

	"github.com/go-virtnet/virtnet/network/schema"
)

// A Reader says how documents are read. The zero Reader reads what libvirt 11.3 reads and keeps what it
// does not know; see [schema.Reader].
type Reader struct {
	Strict bool // refuse what is not known, and an element given twice where the first counts
	Compat bool // drop what libvirt drops and be lax where it is
	// Aliases takes what the proposals of 2010 have, which libvirt never did: the modes VEPA, PEPA and VEB in any
	// case (see [schema.ModeAlias]), the type physical for direct, and the mode on the <target>. A <target mode>
	// makes an interface of type bridge one of type direct, for which the bridge is the device. What is written is
	// always libvirt's form.
	//
	//	<interface type='physical'>                      <interface type='direct'>
	//	  <source dev='eth0'/>                             <source dev='eth0' mode='private'/>
	//	  <target mode='PEPA'/>                          </interface>
	//	</interface>
	Aliases bool
}

// Parse reads an <interface> document with the zero [Reader].
func Parse(r io.Reader) (*Interface, error) { return Reader{}.Parse(r) }

// Parse reads an <interface> document. It finds what cannot be read at all; what the document says is for
// [Interface.Validate]. The error is one of r, or [schema.Violations] with everything that cannot be read.
// If that is only some values, the interface comes with the error, those values absent, so that both kinds
// of violations can be told at once. Without its type nothing can be judged, and the interface is nil.
//
//	i, err := domainiface.Parse(file)
//	if i != nil {
//		err = schema.Join(err, i.Validate())
//	}
func (how Reader) Parse(r io.Reader) (*Interface, error) {
	i := new(Interface)
	src, complete, err := schema.Reader(how).Read(r, "interface", i)
	if !complete {
		return nil, err
	}
	i.Origin = src
	if unreadable(err, "/interface/@type") {
		return nil, err
	}
	if how.Compat {
		i.dropSurplus()
		i.dropRead()
		err = i.dropUnread(err)
	}
	if how.Aliases {
		err = schema.Join(err, i.moveTargetMode())
	}
	return i, err
}

// UnmarshalXML reads the element as [Parse] does, so that [xml.Unmarshal] and Parse agree.
func (i *Interface) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	return schema.Decode(d, start, i)
}

// MarshalXML writes what [Interface.Format] does, but for the layout.
func (i Interface) MarshalXML(e *xml.Encoder, _ xml.StartElement) error {
	return schema.Encode(e, "interface", &i)
}

// Format returns the document in the layout of libvirt: its order of elements and attributes, two spaces a
// level, values in single quotes. It says what i says, no more and no less; see [Interface.Normalize].
func (i *Interface) Format() ([]byte, error) { return schema.AppendDocument(nil, "interface", i) }

// WriteTo writes what [Interface.Format] returns.
func (i *Interface) WriteTo(w io.Writer) (int64, error) {
	text, err := i.Format()
	if err != nil {
		return 0, err
	}
	written, err := w.Write(text)
	return int64(written), err
}
