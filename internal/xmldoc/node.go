// SPDX-License-Identifier: Apache-2.0

package xmldoc

import (
	"encoding/xml"
	"iter"
	"slices"
)

// unknown writes unknown content: an element, or a text on a line of its own.
func (w *writer) unknown(tokens iter.Seq[xml.Token]) {
	all := slices.Collect(tokens)
	if len(all) == 0 {
		return
	}
	if text, ok := all[0].(xml.CharData); ok {
		w.begin()
		w.b = appendEscaped(w.b, string(text), false)
		w.newline()
		return
	}
	w.node(all)
}

// inline writes content that has text, as it is.
func (w *writer) inline(tokens iter.Seq[xml.Token]) {
	all := slices.Collect(tokens)
	for i, tok := range all {
		switch tok := tok.(type) {
		case xml.StartElement:
			w.b = append(append(w.b, '<'), tok.Name.Local...)
			for _, a := range tok.Attr {
				w.attr(a.Name.Local, a.Value)
			}
			w.b = append(w.b, '>')
		case xml.CharData:
			w.b = appendEscaped(w.b, string(tok), false)
		case xml.EndElement:
			if isStart(all[i-1]) {
				w.b = append(w.b[:len(w.b)-1], "/>"...)
				continue
			}
			w.b = append(append(append(w.b, "</"...), tok.Name.Local...), '>')
		}
	}
}

// node writes an element of unknown content: indented like our own, except where an element has text, which is
// kept as it is with all that is in it.
func (w *writer) node(all []xml.Token) {
	inline := 0 // how many elements deep the walk is in one that has text
	for i, tok := range all {
		switch tok := tok.(type) {
		case xml.StartElement:
			if inline == 0 {
				w.begin()
			}
			w.b = append(append(w.b, '<'), tok.Name.Local...)
			for _, a := range tok.Attr {
				w.attr(a.Name.Local, a.Value)
			}
			switch {
			case inline > 0 || hasText(all[i+1:]):
				inline++
				if _, empty := all[i+1].(xml.EndElement); empty {
					w.b = append(w.b, '/')
				}
				w.b = append(w.b, '>')
			default:
				w.open = true
				w.depth++
			}
		case xml.CharData:
			w.content()
			w.b = appendEscaped(w.b, string(tok), false)
		case xml.EndElement:
			w.endNode(tok.Name.Local, &inline, i > 0 && isStart(all[i-1]))
		}
	}
}

// endNode ends an element of unknown content; empty says that there is nothing in it.
func (w *writer) endNode(name string, inline *int, empty bool) {
	switch {
	case *inline > 0:
		*inline--
		if !empty {
			w.b = append(append(append(w.b, "</"...), name...), '>')
		}
		if *inline == 0 {
			w.newline()
		}
	case w.open:
		w.depth--
		w.b = append(w.b, "/>"...)
		w.newline()
		w.open = false
	default:
		w.depth--
		w.begin()
		w.end(name)
	}
}

func isStart(tok xml.Token) bool {
	_, ok := tok.(xml.StartElement)
	return ok
}

// hasText reports whether the element whose content begins with tokens has text of its own.
func hasText(tokens []xml.Token) bool {
	depth := 0
	for _, tok := range tokens {
		switch tok.(type) {
		case xml.StartElement:
			depth++
		case xml.CharData:
			if depth == 0 {
				return true
			}
		case xml.EndElement:
			if depth--; depth < 0 {
				return false
			}
		}
	}
	return false
}
