// SPDX-License-Identifier: Apache-2.0

package xmldoc

import (
	"encoding"
	"encoding/xml"
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// A layout is what the tags of a struct type say: where the attributes and children of its element go.
type layout struct {
	attrs   []*field
	elems   []*field
	anyAttr []int  // the field for unknown attributes; nil when there is none
	anyElem []int  // the field for unknown elements; nil when there is none
	aliases string // the attribute that is kept with Aliases; "" when there is none
	leaves  []int  // the field for the unknown content of elements of text; nil when there is none
	root    string // of a document, the name of its root element
}

// A field is one attribute or child element of a layout.
type field struct {
	index     []int
	space     string // namespace of the element; "" for none
	name      string
	prefix    string // the prefix that stands for space in paths and in what is written
	label     string // the name with its prefix
	kind      kind
	inner     *layout // of an element with a struct type
	omitEmpty bool
	words
}

// words are what the doc tag says.
type words struct {
	blank, lax, anyCase, alias, anySpace, keep, merge, first, inside, zero, opaque, open, ours bool

	before             string // the element that this one precedes if
	whenAttr, whenText string // the attribute has the text
}

// A kind is how the content of a field is read and written.
type kind uint8

const (
	kindString  kind = iota // an attribute or the text of an element
	kindScalar              // the same, by UnmarshalText
	kindStruct              // a pointer to a struct: at most one element
	kindStructs             // a slice of structs: any number of elements
	kindStrings             // a slice of strings: any number of elements
)

// repeats reports whether the element may occur any number of times.
func (f *field) repeats() bool { return f.kind == kindStructs || f.kind == kindStrings }

// matches reports whether an element of the name is the field's.
func (f *field) matches(name xml.Name) bool {
	return f.name == name.Local && (f.space == name.Space || f.anySpace)
}

func (l *layout) elem(name xml.Name) *field {
	for _, f := range l.elems {
		if f.matches(name) {
			return f
		}
	}
	return nil
}

func (l *layout) attr(name xml.Name) *field {
	if name.Space != "" {
		return nil
	}
	for _, f := range l.attrs {
		if f.name == name.Local {
			return f
		}
	}
	return nil
}

// layouts are the layouts of all types met so far.
var layouts sync.Map // reflect.Type to *layout

// layoutOf returns the layout of a struct type. A tag it cannot read is a mistake in the program.
func layoutOf(t reflect.Type) *layout {
	if l, ok := layouts.Load(t); ok {
		return l.(*layout)
	}
	l := &layout{}
	l.add(t, nil)
	got, _ := layouts.LoadOrStore(t, l)
	return got.(*layout)
}

func (l *layout) add(t reflect.Type, outer []int) {
	for i := range t.NumField() {
		sf := t.Field(i)
		tag := sf.Tag.Get("xml")
		index := append(outer[:len(outer):len(outer)], i)
		switch {
		case sf.Tag.Get("doc") == "leaves":
			l.leaves = index
		case strings.HasPrefix(sf.Tag.Get("doc"), "again="):
			l.addField(t, sf, strings.TrimPrefix(sf.Tag.Get("doc"), "again="), index)
		case sf.Name == "_":
			l.aliases = strings.TrimPrefix(sf.Tag.Get("doc"), "alias=")
		case tag == "-":
		case sf.Name == "XMLName":
			l.root = tag
		case sf.Anonymous && tag == "":
			l.add(sf.Type, index)
		case tag == ",any,attr":
			l.anyAttr = index
		case tag == ",any":
			l.anyElem = index
		default:
			l.addField(t, sf, tag, index)
		}
	}
}

func (l *layout) addField(t reflect.Type, sf reflect.StructField, tag string, index []int) {
	tag, attr := cutWord(tag, ",attr")
	tag, omitEmpty := cutWord(tag, ",omitempty")
	f := &field{index: index, name: tag, omitEmpty: omitEmpty}
	if space, name, ok := strings.Cut(tag, " "); ok {
		f.space, f.name = space, name
	}
	f.read(sf.Tag.Get("doc"))
	f.label = f.name
	if f.prefix != "" {
		f.label = f.prefix + ":" + f.name
	}
	if f.name == "" || strings.Contains(f.name, ",") || !f.setKind(sf.Type, attr) {
		panic(fmt.Sprintf("xmldoc: field %s.%s cannot be laid out", t, sf.Name))
	}
	if attr {
		l.attrs = append(l.attrs, f)
	} else {
		l.elems = append(l.elems, f)
	}
}

// read takes the words of a doc tag.
func (f *field) read(tag string) {
	for word := range strings.SplitSeq(tag, ",") {
		switch word {
		case "blank":
			f.blank = true
		case "lax":
			f.lax = true
		case "anycase":
			f.anyCase = true
		case "alias":
			f.alias = true
		case "anyns":
			f.anySpace = true
		case "keep":
			f.keep = true
		case "merge":
			f.merge = true
		case "first":
			f.first = true
		case "inside":
			f.inside = true
		case "zero":
			f.zero = true
		case "opaque":
			f.opaque = true
		case "open":
			f.open = true
		case "ours":
			f.ours = true
		default:
			if before, ok := strings.CutPrefix(word, "before="); ok {
				f.before, word, _ = strings.Cut(before, ":")
				f.whenAttr, f.whenText, _ = strings.Cut(word, "=")
				continue
			}
			if !strings.HasPrefix(word, "again=") {
				f.prefix = strings.TrimPrefix(word, "prefix=")
			}
		}
	}
}

var textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()

func (f *field) setKind(t reflect.Type, attr bool) bool {
	switch {
	case reflect.PointerTo(t).Implements(textUnmarshaler):
		f.kind = kindScalar
	case t.Kind() == reflect.String:
		f.kind = kindString
	case attr:
		return false
	case t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct:
		f.kind, f.inner = kindStruct, layoutOf(t.Elem())
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		f.kind, f.inner = kindStructs, layoutOf(t.Elem())
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.String:
		f.kind = kindStrings
	default:
		return false
	}
	return true
}

func cutWord(tag, word string) (rest string, found bool) {
	before, after, found := strings.Cut(tag, word)
	return before + after, found
}
