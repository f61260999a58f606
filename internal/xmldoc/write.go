// SPDX-License-Identifier: Apache-2.0

package xmldoc

import (
	"encoding/xml"
	"fmt"
	"iter"
	"reflect"
)

// Append appends the document v, a pointer to a struct, to b in the layout of libvirt: two spaces a level,
// values in single quotes, elements without content closed in their tag except those with the word open.
// Everything is escaped that has to be. Unknown content follows the known in each element.
func Append(b []byte, root string, v any) ([]byte, error) {
	w := &writer{b: b}
	value := reflect.ValueOf(v).Elem()
	err := w.element(root, value, layoutOf(value.Type()), &words{})
	return w.b, err
}

// A writer writes one document.
type writer struct {
	b     []byte
	depth int
	open  bool // the last start tag still lacks its >
}

// begin ends the start tag around and begins a line.
func (w *writer) begin() {
	w.content()
	for range w.depth {
		w.b = append(w.b, "  "...)
	}
}

// content ends the start tag around.
func (w *writer) content() {
	if w.open {
		w.b = append(w.b, ">\n"...)
		w.open = false
	}
}

func (w *writer) element(name string, v reflect.Value, l *layout, ws *words) error {
	w.begin()
	w.b = append(append(w.b, '<'), name...)
	if w.depth == 0 {
		w.declare(v, l)
	}
	if err := w.attrs(v, l); err != nil {
		return err
	}
	w.open = true
	w.depth++
	for _, f := range l.order(v) {
		if err := w.child(v.FieldByIndex(f.index), f); err != nil {
			return err
		}
	}
	if l.anyElem != nil {
		nodes := v.FieldByIndex(l.anyElem)
		for i := range nodes.Len() {
			w.node(nodes.Index(i).Addr().Interface().(tokener).Tokens())
		}
	}
	w.depth--
	if w.open && !ws.open {
		w.b = append(w.b, "/>\n"...)
		w.open = false
		return nil
	}
	w.begin()
	w.end(name)
	return nil
}

func (w *writer) end(name string) {
	w.b = append(append(append(w.b, "</"...), name...), ">\n"...)
}

// declare writes the declarations of the prefixes that children of the root need.
func (w *writer) declare(v reflect.Value, l *layout) {
	for _, f := range l.elems {
		if f.prefix != "" && !v.FieldByIndex(f.index).IsZero() {
			w.attr("xmlns:"+f.prefix, f.space)
		}
	}
}

func (w *writer) child(v reflect.Value, f *field) error {
	switch f.kind {
	case kindStruct:
		if v.IsNil() {
			return nil
		}
		return w.element(f.label, v.Elem(), f.inner, &f.words)
	case kindStructs:
		for i := range v.Len() {
			if err := w.element(f.label, v.Index(i), f.inner, &f.words); err != nil {
				return err
			}
		}
	case kindStrings:
		for i := range v.Len() {
			w.leaf(f.label, v.Index(i).String())
		}
	case kindString:
		if s := v.String(); s != "" || !f.omitEmpty {
			w.leaf(f.label, s)
		}
	case kindScalar:
		if !v.IsZero() {
			w.leaf(f.label, v.Addr().Interface().(fmt.Stringer).String())
		}
	}
	return nil
}

// leaf writes an element with text.
func (w *writer) leaf(name, text string) {
	w.begin()
	w.b = append(append(append(w.b, '<'), name...), '>')
	w.b = appendEscaped(w.b, text, false)
	w.end(name)
}

func (w *writer) attrs(v reflect.Value, l *layout) error {
	for _, f := range l.attrs {
		to := v.FieldByIndex(f.index)
		if f.omitEmpty && to.IsZero() {
			continue
		}
		if f.kind == kindString {
			w.attr(f.name, to.String())
			continue
		}
		switch value := to.Addr().Interface().(type) {
		case xml.MarshalerAttr:
			a, err := value.MarshalXMLAttr(xml.Name{Local: f.name})
			if err != nil {
				return err
			}
			if a.Name.Local != "" {
				w.attr(a.Name.Local, a.Value)
			}
		case fmt.Stringer:
			w.attr(f.name, value.String())
		}
	}
	if l.anyAttr != nil {
		w.unknownAttrs(*v.FieldByIndex(l.anyAttr).Addr().Interface().(*[]xml.Attr))
	}
	return nil
}

// unknownAttrs writes attributes of any namespace, each with a prefix of its own.
func (w *writer) unknownAttrs(attrs []xml.Attr) {
	for i, a := range attrs {
		switch {
		case a.Name.Space == "":
			w.attr(a.Name.Local, a.Value)
		case a.Name.Space == "xml" || a.Name.Space == xmlSpace:
			w.attr("xml:"+a.Name.Local, a.Value)
		default:
			prefix := fmt.Sprintf("ns%d", i+1)
			w.attr("xmlns:"+prefix, a.Name.Space)
			w.attr(prefix+":"+a.Name.Local, a.Value)
		}
	}
}

// xmlSpace is the namespace of xml:lang and its like; its prefix needs no declaration.
const xmlSpace = "http://www.w3.org/XML/1998/namespace"

func (w *writer) attr(name, value string) {
	w.b = append(append(append(w.b, ' '), name...), "='"...)
	w.b = append(appendEscaped(w.b, value, true), '\'')
}

// A tokener is unknown content that is ready to be written.
type tokener interface{ Tokens() iter.Seq[xml.Token] }
