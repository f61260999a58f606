// SPDX-License-Identifier: Apache-2.0

package xmldoc

import (
	"encoding/xml"
	"fmt"
	"iter"
	"reflect"
)

// Leaves are what a field with the word leaves holds: all that elements of text have besides their text.
type Leaves interface {
	// Leaf returns that of the element of the name with the zero-based index among its kind, nil if it has
	// only text.
	Leaf(name string, index int) Leaf
	// AddLeaf adds one and returns it. It is good until the next one is added.
	AddLeaf(name string, index int) Leaf
}

// A Leaf is what one element of text has besides its text.
type Leaf interface {
	// AddAttr adds an attribute, which is no declaration of a prefix.
	AddAttr(a xml.Attr)
	// AddText adds text of the content, for those that have elements in it too.
	AddText(text string)
	// AddElement adds the element of the content that start opens, and returns all the text in it.
	AddElement(from *xml.Decoder, start xml.StartElement, declared []xml.Attr) (text string, err error)
	// Attributes returns the attributes.
	Attributes() []xml.Attr
	// Content returns the content with the elements in it, nil if it has none or not that text.
	Content(text string) iter.Seq[xml.Token]
}

// leaf returns what the element of the index of the field has besides its text, nil if it has nothing.
func (d *decoder) leaf(v reflect.Value, l *layout, f *field, index int) Leaf {
	if l.leaves == nil || f.kind == kindStruct || f.kind == kindStructs {
		return nil
	}
	return v.FieldByIndex(l.leaves).Addr().Interface().(Leaves).Leaf(f.name, index)
}

// leafToFill returns the same, made if need be, and nil when nothing is kept.
func (d *decoder) leafToFill(v reflect.Value, l *layout, f *field, index int) Leaf {
	if d.Compat || d.Strict || l.leaves == nil {
		return nil
	}
	leaves := v.FieldByIndex(l.leaves).Addr().Interface().(Leaves)
	if leaf := leaves.Leaf(f.name, index); leaf != nil {
		return leaf
	}
	return leaves.AddLeaf(f.name, index)
}

// text returns all the text in the element that start opens, which is the one of the index of the field f of v, where
// it leaves what else the element has.
func (d *decoder) text(start xml.StartElement, v reflect.Value, l *layout, f *field, index int) (string, error) {
	outer := len(d.declared)
	for _, a := range start.Attr {
		switch {
		case isDeclaration(a):
			d.declared = append(d.declared, a)
		case d.Strict:
			d.problem(ruleUnknownA, a.Name.Local, "<%s> has no attributes", start.Name.Local)
		default:
			if leaf := d.leafToFill(v, l, f, index); leaf != nil {
				leaf.AddAttr(a)
			}
		}
	}
	at, offset := d.at, d.offset
	s, err := d.content(v, l, f, index)
	if err != nil {
		return "", err
	}
	d.declared = d.declared[:outer]
	d.at, d.offset = at, offset
	return string(s), nil
}

// content reads what is in an element of text.
func (d *decoder) content(v reflect.Value, l *layout, f *field, index int) ([]byte, error) {
	var s []byte
	var mixed Leaf // once there is an element
	for depth := 1; ; {
		tok, err := d.token()
		if err != nil {
			return nil, err
		}
		switch tok := tok.(type) {
		case xml.CharData:
			s = append(s, tok...)
			if mixed != nil {
				mixed.AddText(string(tok))
			}
		case xml.StartElement:
			if err := CheckNames(tok); err != nil {
				return nil, err
			}
			if d.Strict {
				d.problem(ruleUnknownE, "", "there is no element %s here", spell(tok.Name))
			}
			if mixed == nil {
				if mixed = d.leafToFill(v, l, f, index); mixed != nil {
					mixed.AddText(string(s))
				}
			}
			if mixed == nil {
				if depth++; len(d.path)+depth > MaxDepth {
					return nil, &ruleError{ruleDepth, "", fmt.Sprintf("elements are nested more than %d deep", MaxDepth)}
				}
				continue
			}
			text, err := mixed.AddElement(d.xml, tok, d.declared)
			if err != nil {
				return nil, err
			}
			s = append(s, text...)
		case xml.EndElement:
			if depth--; depth == 0 {
				return s, nil
			}
		}
	}
}

// leafOf returns what is to be written of the element of the index of the field besides its text.
func leafOf(v reflect.Value, l *layout, f *field, index int) Leaf {
	if l.leaves == nil {
		return nil
	}
	return v.FieldByIndex(l.leaves).Addr().Interface().(Leaves).Leaf(f.name, index)
}
