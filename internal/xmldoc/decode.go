// SPDX-License-Identifier: Apache-2.0

package xmldoc

import (
	"bytes"
	"encoding"
	"encoding/xml"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A decoder reads one document.
type decoder struct {
	Options
	xml      *xml.Decoder
	typed    bool // there was a document type, or it is too late for one
	path     []step
	at       Place           // of the last token, its first byte
	offset   int64           // the same
	declared []xml.Attr      // the declarations of prefixes of the elements in path
	met      map[string]bool // with Compat, the paths of what was given and said nothing, and of what counts once
	problems []Problem
}

// A step is one element of a path; index is 0 for an element that cannot be repeated.
type step struct {
	name  string
	index int
}

func (d *decoder) pathText() string {
	var b []byte
	for _, s := range d.path {
		b = append(append(b, '/'), s.name...)
		if s.index > 0 {
			b = append(strconv.AppendInt(append(b, '['), int64(s.index), 10), ']')
		}
	}
	return string(b)
}

// token returns the next token and remembers where it begins.
func (d *decoder) token() (xml.Token, error) {
	d.at.Line, d.at.Column = d.xml.InputPos()
	d.offset = d.xml.InputOffset()
	tok, err := d.xml.Token()
	if err != nil {
		return nil, err
	}
	return tok, d.misplaced(tok)
}

// misplaced refuses what encoding/xml lets stand anywhere: the declaration of XML, which [plain] has taken away from
// where it may be, and a document type that is not the first before the root element.
func (d *decoder) misplaced(tok xml.Token) error {
	switch tok := tok.(type) {
	case xml.ProcInst:
		if strings.EqualFold(tok.Target, "xml") {
			return &ruleError{ruleSyntax, "", "not well-formed: the declaration of XML stands at the beginning of the text"}
		}
	case xml.Directive:
		if d.typed || !docType.Match(tok) {
			return &ruleError{ruleSyntax, "", "not well-formed: <! begins a document type, with a name, once, before the root element"}
		}
		d.typed = true
	case xml.StartElement:
		d.typed = true
	}
	return nil
}

// docType is the beginning of a document type, as encoding/xml tells it.
var docType = regexp.MustCompile(`^DOCTYPE\s+[^\s\[>]`)

// root reads the root element into v, a pointer to a struct.
func (d *decoder) root(start xml.StartElement, v any) error {
	value := reflect.ValueOf(v).Elem()
	return d.element(start, value, layoutOf(value.Type()), &words{})
}

// element reads the element that start opens into the struct v.
func (d *decoder) element(start xml.StartElement, v reflect.Value, l *layout, w *words) error {
	if len(d.path) > MaxDepth {
		return &ruleError{ruleDepth, "", fmt.Sprintf("elements are nested more than %d deep", MaxDepth)}
	}
	outer := len(d.declared)
	d.attrs(start.Attr, v, l, w)
	if len(d.declared) > MaxAttrs {
		return TooMany("prefixes declared around it", len(d.declared))
	}
	for {
		tok, err := d.token()
		if err != nil {
			return err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			if err := d.child(tok, v, l, w); err != nil {
				return err
			}
		case xml.CharData:
			d.stray(tok, v, l, w)
		case xml.EndElement:
			d.declared = d.declared[:outer]
			return nil
		}
	}
}

// stray handles text between elements: unknown content as any other, in which white space only divides.
func (d *decoder) stray(text xml.CharData, v reflect.Value, l *layout, w *words) {
	if isBlank(text) {
		return
	}
	if d.Strict && !w.opaque {
		d.problem(ruleText, "", "there is text between the elements")
	}
	if d.Compat || l.anyElem == nil {
		return
	}
	to := v.FieldByIndex(l.anyElem)
	n := to.Len()
	if n == 0 || !to.Index(n-1).Addr().Interface().(Unknown).IsText() {
		to.Grow(1)
		to.SetLen(n + 1)
		n++
	}
	words := bytes.FieldsFunc(text, func(r rune) bool { return r < utf8.RuneSelf && isSpace(byte(r)) })
	to.Index(n - 1).Addr().Interface().(Unknown).AddWords(string(bytes.Join(words, []byte(" "))))
}

// isBlank reports whether text has nothing but white space.
func isBlank(text []byte) bool {
	for _, c := range text {
		if !isSpace(c) {
			return false
		}
	}
	return true
}

// child reads the child element that start opens. An error leaves the path where it happened.
func (d *decoder) child(start xml.StartElement, v reflect.Value, l *layout, w *words) error {
	f := l.elem(start.Name)
	name := start.Name.Local
	if f != nil && f.ours && d.Compat {
		f = nil
	}
	if f != nil {
		name = f.label
	}
	d.path = append(d.path, step{name: name})
	err := CheckNames(start)
	switch {
	case err != nil:
	case f == nil:
		err = d.unknown(start, v, l, w)
	default:
		err = d.known(start, v, l, f)
	}
	if err == nil {
		d.path = d.path[:len(d.path)-1]
	}
	return err
}

// known reads an element into its field of v.
func (d *decoder) known(start xml.StartElement, v reflect.Value, l *layout, f *field) error {
	to := v.FieldByIndex(f.index)
	if f.repeats() {
		d.path[len(d.path)-1].index = to.Len() + 1
		return d.repeated(start, v, l, f)
	}
	if !to.IsZero() || d.leaf(v, l, f, 0) != nil || len(d.met) > 0 && d.met[d.pathText()] {
		switch {
		case f.merge || d.Compat && f.first:
		case d.Compat && f.inside:
			start.Attr = nil
		default:
			return d.second(start, v, l, f)
		}
	}
	if f.kind == kindStruct {
		if to.IsNil() {
			to.Set(reflect.New(to.Type().Elem()))
		}
		return d.element(start, to.Elem(), f.inner, &f.words)
	}
	text, err := d.text(start, v, l, f, 0)
	if err != nil {
		return err
	}
	d.set(to, f, text, "")
	if d.Compat && to.IsZero() {
		d.meet("")
	}
	return nil
}

// meet remembers that the element of the path, or one of its attributes, was given, and reports whether it was before.
func (d *decoder) meet(attr string) (before bool) {
	if d.met == nil {
		d.met = make(map[string]bool)
	}
	path := d.pathText()
	if attr != "" {
		path += "/@" + attr
	}
	before = d.met[path]
	d.met[path] = true
	return before
}

// repeated appends an element to the slice that is its field of v.
func (d *decoder) repeated(start xml.StartElement, v reflect.Value, l *layout, f *field) error {
	to := v.FieldByIndex(f.index)
	n := to.Len()
	if n == to.Cap() {
		to.Grow(max(1, n))
	}
	to.SetLen(n + 1)
	if f.kind == kindStructs {
		return d.element(start, to.Index(n), f.inner, &f.words)
	}
	text, err := d.text(start, v, l, f, n)
	to.Index(n).SetString(text)
	return err
}

// second handles an element that is given a second time, of which the first counts.
func (d *decoder) second(start xml.StartElement, v reflect.Value, l *layout, f *field) error {
	d.path[len(d.path)-1].index = 2
	if d.Strict {
		d.problem(ruleElemOnce, "", "<%s> is given more than once", f.label)
	}
	if d.Compat && !f.keep {
		return d.skip()
	}
	return d.surplus(start, v, l)
}

// unknown handles an element that no field is for.
func (d *decoder) unknown(start xml.StartElement, v reflect.Value, l *layout, w *words) error {
	if d.Strict && !w.opaque {
		d.problem(ruleUnknownE, "", "there is no element %s here%s", spell(start.Name), d.hint(start.Name.Local, l.elems))
	}
	if d.Compat && !w.opaque {
		return d.skip()
	}
	return d.surplus(start, v, l)
}

// surplus keeps an element as unknown content.
func (d *decoder) surplus(start xml.StartElement, v reflect.Value, l *layout) error {
	if l.anyElem == nil {
		return d.skip()
	}
	to := v.FieldByIndex(l.anyElem)
	n := to.Len()
	to.Grow(1)
	to.SetLen(n + 1)
	node := to.Index(n).Addr().Interface().(Unknown)
	if err := node.UnmarshalXML(d.xml, start); err != nil {
		to.SetLen(n)
		return err
	}
	node.Inherit(d.declared)
	return nil
}

// Unknown is what a field for unknown elements holds: an element or a text between elements.
type Unknown interface {
	xml.Unmarshaler
	// IsText reports whether it is a text.
	IsText() bool
	// AddWords appends words to a text, after a blank if it has some; it makes the zero value a text.
	AddWords(words string)
	// Inherit adds the declarations of prefixes around the element that it uses.
	Inherit(declared []xml.Attr)
}

// skip reads to the end of the element that was opened last.
func (d *decoder) skip() error {
	for depth := 1; depth > 0; {
		tok, err := d.token()
		if err != nil {
			return err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			if err := CheckNames(tok); err != nil {
				return err
			}
			if depth++; len(d.path)+depth > MaxDepth {
				return &ruleError{ruleDepth, "", fmt.Sprintf("elements are nested more than %d deep", MaxDepth)}
			}
		case xml.EndElement:
			depth--
		}
	}
	return nil
}

// set reads text into the field to; attr is "" for the text of an element.
func (d *decoder) set(to reflect.Value, f *field, text, attr string) {
	if f.kind == kindString {
		to.SetString(text)
		return
	}
	if text == "" && (f.blank || attr == "") {
		return
	}
	if err := d.scalar(to.Addr().Interface(), f, []byte(text)); err != nil {
		rule := ruleValue
		if named, ok := err.(interface{ Rule() string }); ok {
			rule = named.Rule()
		}
		d.problem(rule, attr, "%s", err)
	}
}

func (d *decoder) scalar(to any, f *field, text []byte) error {
	if d.Aliases && f.alias {
		return to.(interface{ UnmarshalAlias([]byte) error }).UnmarshalAlias(text)
	}
	if d.Compat && f.lax {
		return to.(interface{ UnmarshalLax([]byte) error }).UnmarshalLax(text)
	}
	if d.Compat && f.anyCase {
		text = bytes.ToLower(text)
	}
	return to.(encoding.TextUnmarshaler).UnmarshalText(text)
}
