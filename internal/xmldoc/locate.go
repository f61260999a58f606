// SPDX-License-Identifier: Apache-2.0

package xmldoc

import (
	"bytes"
	"encoding/xml"
	"strconv"
	"strings"
)

// A Place is a position in a text: line and column counted from 1, the column in bytes. The zero Place is
// not known.
type Place struct{ Line, Column int }

// Locate returns where the paths lead in text, in one walk. A path that leads nowhere gets the place of
// the nearest element around it.
func Locate(text []byte, paths []string) []Place {
	root := new(target)
	w := walk{text: text, xml: xml.NewDecoder(bytes.NewReader(text))}
	ends := make([]*target, len(paths))
	attrs := make([]string, len(paths))
	for i, path := range paths {
		ends[i] = root
		for step := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
			if strings.HasPrefix(step, "@") {
				attrs[i] = step[1:]
				break
			}
			ends[i] = w.child(ends[i], step)
		}
	}
	w.children(root, 0)
	places := make([]Place, len(paths))
	for i, end := range ends {
		places[i] = end.place(attrs[i])
	}
	return places
}

// A target is an element that paths lead to or through.
type target struct {
	up     *target
	inside map[labelled]*target
	at     Place  // not known until the walk has met the element
	tag    []byte // its start tag
}

// labelled is an element's label and its index among the elements of that label, from 1.
type labelled struct {
	label string
	index int
}

// child returns the target that the step leads to.
func (w *walk) child(t *target, step string) *target {
	name, index := cutIndex(step)
	if i := strings.IndexByte(name, ':'); i >= 0 {
		name = name[i:]
	}
	key := labelled{name, index}
	inner := t.inside[key]
	if inner == nil {
		if t.inside == nil {
			t.inside = make(map[labelled]*target)
		}
		inner = &target{up: t}
		t.inside[key] = inner
		w.left++
	}
	return inner
}

// place returns where the attribute of the element is, or the element, or the nearest around it.
func (t *target) place(attr string) Place {
	if t.at != (Place{}) && attr != "" {
		return within(t.tag, t.at, attr)
	}
	for t.up != nil && t.at == (Place{}) {
		t = t.up
	}
	return t.at
}

// A walk looks for targets in a text.
type walk struct {
	text []byte
	xml  *xml.Decoder
	left int // targets that it has not met
}

// children looks for what is wanted inside the element that was opened last, and reads to its end. It gives
// up at the first thing that is wrong with the text, and when it has met all targets.
func (w *walk) children(t *target, depth int) bool {
	seen := make(map[string]int, len(t.inside))
	for {
		line, column := w.xml.InputPos()
		offset := w.xml.InputOffset()
		tok, err := w.xml.RawToken()
		if err != nil || depth > MaxDepth {
			return false
		}
		switch tok := tok.(type) {
		case xml.EndElement:
			return true
		case xml.StartElement:
			name := label(tok.Name)
			seen[name]++
			inner := t.inside[labelled{name, seen[name]}]
			if inner == nil {
				if !w.skip() {
					return false
				}
				continue
			}
			inner.at = Place{line, column}
			inner.tag = w.text[offset:w.xml.InputOffset()]
			if w.left--; w.left == 0 || !w.children(inner, depth+1) {
				return false
			}
		}
	}
}

// skip reads to the end of the element that was opened last.
func (w *walk) skip() bool {
	for depth := 1; depth > 0; {
		tok, err := w.xml.RawToken()
		if err != nil {
			return false
		}
		switch tok.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		}
	}
	return true
}

// label is the name of an element as paths spell it, whatever its prefix.
func label(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return ":" + n.Local
}

// cutIndex splits ip[2] into ip and 2; without an index it is the first.
func cutIndex(step string) (name string, index int) {
	name, rest, ok := strings.Cut(step, "[")
	if !ok {
		return step, 1
	}
	index, err := strconv.Atoi(strings.TrimSuffix(rest, "]"))
	if err != nil {
		return step, 1
	}
	return name, index
}

// within returns the place of the attribute in a start tag that begins at, or at when it has none.
func within(tag []byte, at Place, attr string) Place {
	line, column := at.Line, at.Column
	quote := byte(0)
	for i, c := range tag {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case i > 0 && isSpace(tag[i-1]) && isAttr(tag[i:], attr):
			return Place{line, column}
		case c == '>':
			return at
		}
		column++
		if c == '\n' {
			line, column = line+1, 1
		}
	}
	return at
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// isAttr reports whether s begins with the attribute, whatever its prefix.
func isAttr(s []byte, attr string) bool {
	end := bytes.IndexAny(s, "= \t\r\n")
	if end < 0 {
		return false
	}
	name := s[:end]
	if colon := bytes.IndexByte(name, ':'); colon >= 0 {
		name = name[colon+1:]
	}
	return string(name) == attr
}

// refine moves the place of a problem with an attribute from the start of its element to the attribute.
func (p *Problem) refine(text []byte) {
	_, attr, ok := strings.Cut(p.Path, "/@")
	if !ok || p.Line == 0 {
		return
	}
	if tag := text[min(p.offset, int64(len(text))):]; len(tag) > 0 && tag[0] == '<' {
		at := within(tag, Place{p.Line, p.Column}, attr)
		p.Line, p.Column = at.Line, at.Column
	}
}
