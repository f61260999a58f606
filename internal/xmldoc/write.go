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
	return appendTo(&writer{b: b}, root, v)
}

// AppendCompact appends the document as [Append] does, without line ends and indentation.
func AppendCompact(b []byte, root string, v any) ([]byte, error) {
	return appendTo(&writer{b: b, compact: true}, root, v)
}

func appendTo(w *writer, root string, v any) ([]byte, error) {
	if w.b == nil {
		w.b = make([]byte, 0, 1024)
	}
	value := reflect.ValueOf(v).Elem()
	err := w.element(root, value, layoutOf(value.Type()), &words{})
	return w.b, err
}

// A writer writes one document.
type writer struct {
	b       []byte
	depth   int
	open    bool // the last start tag still lacks its >
	compact bool // there are no lines
}

// newline ends the line.
func (w *writer) newline() {
	if !w.compact {
		w.b = append(w.b, '\n')
	}
}

// begin ends the start tag around and begins a line.
func (w *writer) begin() {
	w.content()
	for range w.depth {
		if w.compact {
			break
		}
		w.b = append(w.b, "  "...)
	}
}

// content ends the start tag around.
func (w *writer) content() {
	if w.open {
		w.b = append(w.b, '>')
		w.newline()
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
		if err := w.child(v, l, f); err != nil {
			return err
		}
	}
	if l.anyElem != nil {
		nodes := v.FieldByIndex(l.anyElem)
		for i := range nodes.Len() {
			w.unknown(nodes.Index(i).Addr().Interface().(tokener).Tokens())
		}
	}
	w.depth--
	if w.open && !ws.open {
		w.b = append(w.b, "/>"...)
		w.newline()
		w.open = false
		return nil
	}
	w.begin()
	w.end(name)
	return nil
}

func (w *writer) end(name string) {
	w.b = append(append(append(w.b, "</"...), name...), '>')
	w.newline()
}

// declare writes the declarations of the prefixes that children of the root need.
func (w *writer) declare(v reflect.Value, l *layout) {
	for _, f := range l.elems {
		if f.prefix != "" && !v.FieldByIndex(f.index).IsZero() {
			w.attr("xmlns:"+f.prefix, f.space)
		}
	}
}

// child writes the elements of a field of the element v.
func (w *writer) child(element reflect.Value, l *layout, f *field) error {
	v := element.FieldByIndex(f.index)
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
			w.leaf(f.label, v.Index(i).String(), leafOf(element, l, f, i))
		}
	case kindString:
		leaf := leafOf(element, l, f, 0)
		if s := v.String(); s != "" || !f.omitEmpty || leaf != nil {
			w.leaf(f.label, s, leaf)
		}
	case kindScalar:
		leaf := leafOf(element, l, f, 0)
		switch {
		case !v.IsZero():
			w.leaf(f.label, v.Addr().Interface().(fmt.Stringer).String(), leaf)
		case leaf != nil:
			w.leaf(f.label, "", leaf)
		}
	}
	return nil
}

// leaf writes an element with text and what else it has, which may be nil.
func (w *writer) leaf(name, text string, leaf Leaf) {
	w.begin()
	w.b = append(append(w.b, '<'), name...)
	if leaf != nil {
		w.unknownAttrs(leaf.Attributes())
		if content := leaf.Content(text); content != nil {
			w.b = append(w.b, '>')
			w.inline(content)
			w.end(name)
			return
		}
	}
	w.b = append(w.b, '>')
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
