// SPDX-License-Identifier: Apache-2.0

package schema

import "github.com/go-virtnet/virtnet/internal/xmldoc"

// A Source remembers the text that a document was read from, so that a violation found later can name
// its line and column. The zero Source knows no text. Documents carry it in a field that is no part of
// their content: it is not written, and any two Sources are equal.
type Source struct{ text *[]byte }

// NewSource returns the Source of a document that was read from text, which must not change any more.
func NewSource(text []byte) Source { return Source{&text} }

// Equal returns true: where a document comes from makes no difference to what it says.
func (Source) Equal(Source) bool { return true }

// locate gives the violations that have no place yet the one where their path leads in the text. A
// path that leads nowhere gets the place of the nearest element around it.
func (s Source) locate(vs Violations) {
	if s.text == nil {
		return
	}
	var paths []string
	var open Violations
	for _, v := range vs {
		if v.Line == 0 {
			paths = append(paths, v.Path)
			open = append(open, v)
		}
	}
	if len(open) == 0 {
		return
	}
	for i, at := range xmldoc.Locate(*s.text, paths) {
		open[i].Line, open[i].Column = at.Line, at.Column
	}
}

// Place returns the line and the column of the element or attribute that the path leads to, those of the nearest element
// around it if it leads nowhere; 0 and 0 where no text is known.
func (s Source) Place(path string) (line, column int) {
	v := &Violation{Path: path}
	s.locate(Violations{v})
	return v.Line, v.Column
}
