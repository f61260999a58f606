// SPDX-License-Identifier: Apache-2.0

package xmldoc

import (
	"bytes"
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
	w := walk{tags: tags{text: text}, line: 1}
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
	inside map[string]*siblings // by label
	at     Place                // not known until the walk has met the element
	tag    []byte               // its start tag
}

// siblings are the elements of one label next to each other.
type siblings struct {
	met     int             // by the walk
	targets map[int]*target // by their index, from 1
}

// child returns the target that the step leads to.
func (w *walk) child(t *target, step string) *target {
	name, index := cutIndex(step)
	if i := strings.IndexByte(name, ':'); i >= 0 {
		name = name[i:]
	}
	all := t.inside[name]
	if all == nil {
		if t.inside == nil {
			t.inside = make(map[string]*siblings)
		}
		all = &siblings{targets: make(map[int]*target)}
		t.inside[name] = all
	}
	inner := all.targets[index]
	if inner == nil {
		inner = &target{up: t}
		all.targets[index] = inner
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
	tags
	left int // targets that it has not met

	line, from, seen int // the line that the place seen is in, and where it begins
}

// placeOf returns the place of the byte at, which is not before the last one that was asked for.
func (w *walk) placeOf(at int) Place {
	w.line += bytes.Count(w.text[w.seen:at], []byte("\n"))
	if i := bytes.LastIndexByte(w.text[w.seen:at], '\n'); i >= 0 {
		w.from = w.seen + i + 1
	}
	w.seen = at
	return Place{w.line, at - w.from + 1}
}

// children looks for what is wanted inside the element that was opened last, and reads to its end. It gives
// up at the first thing that is wrong with the text, and when it has met all targets.
func (w *walk) children(t *target, depth int) bool {
	for depth <= MaxDepth {
		tag, ok := w.next()
		switch {
		case !ok:
			return false
		case tag.end:
			return true
		}
		inner := t.meet(tag.label())
		if inner == nil {
			if !tag.empty && !w.skip() {
				return false
			}
			continue
		}
		inner.at = w.placeOf(w.at - len(tag.text))
		inner.tag = tag.text
		if w.left--; w.left == 0 || !tag.empty && !w.children(inner, depth+1) {
			return false
		}
	}
	return false
}

// meet returns the target that the next element of the label is, nil if it is none.
func (t *target) meet(label []byte) *target {
	all := t.inside[string(label)]
	if all == nil {
		return nil
	}
	all.met++
	return all.targets[all.met]
}

// skip reads to the end of the element that was opened last.
func (w *walk) skip() bool {
	for depth := 1; depth > 0; {
		tag, ok := w.next()
		switch {
		case !ok:
			return false
		case tag.end:
			depth--
		case !tag.empty:
			depth++
		}
	}
	return true
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
