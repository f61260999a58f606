// SPDX-License-Identifier: Apache-2.0

package xmldoc

import (
	"bytes"
	"encoding/xml"
	"slices"
	"strconv"
	"strings"
)

// A Place is a position in a text: line and column counted from 1, the column in bytes. The zero Place is
// not known.
type Place struct{ Line, Column int }

// Locate returns where the paths lead in text, in one walk. A path that leads nowhere gets the place of
// the nearest element around it.
func Locate(text []byte, paths []string) []Place {
	places := make([]Place, len(paths))
	w := walk{text: text, xml: xml.NewDecoder(bytes.NewReader(text)), places: places}
	w.xml.CharsetReader = nil
	var wanted []want
	for i, path := range paths {
		steps := strings.Split(strings.TrimPrefix(path, "/"), "/")
		wanted = append(wanted, want{i, steps})
	}
	w.children(wanted, 0)
	return places
}

// A want is a path that is looked for below the element the walk is in.
type want struct {
	index int
	steps []string
}

type walk struct {
	text   []byte
	xml    *xml.Decoder
	places []Place
}

// children looks for wanted among the children of the element that was opened last, and reads to its
// end. It gives up at the first thing that is wrong with the text.
func (w *walk) children(wanted []want, depth int) bool {
	seen := make(map[string]int)
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
			inside := w.match(wanted, name, seen[name], Place{line, column}, w.text[offset:w.xml.InputOffset()])
			if !w.children(inside, depth+1) {
				return false
			}
		}
	}
}

// label is the name of an element as paths spell it, whatever its prefix.
func label(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return ":" + n.Local
}

// match gives the wanted paths that lead to or through the element their place, and returns what is left
// of those that lead through it.
func (w *walk) match(wanted []want, name string, index int, at Place, tag []byte) []want {
	var inside []want
	for _, p := range wanted {
		if len(p.steps) == 0 {
			continue
		}
		step, n := cutIndex(p.steps[0])
		if i := strings.IndexByte(step, ':'); i >= 0 {
			step = step[i:]
		}
		if step != name || n != index {
			continue
		}
		w.places[p.index] = at
		rest := p.steps[1:]
		if len(rest) == 1 && strings.HasPrefix(rest[0], "@") {
			w.places[p.index] = within(tag, at, rest[0][1:])
			continue
		}
		if len(rest) > 0 {
			inside = append(inside, want{p.index, slices.Clone(rest)})
		}
	}
	return inside
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
