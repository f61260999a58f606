// SPDX-License-Identifier: Apache-2.0

package xmldoc

import "bytes"

// tags finds the tags in a text that has been read, much faster than reading it again.
type tags struct {
	text []byte
	at   int // behind the last tag
}

// A tag is a start or end tag, or both in one.
type tag struct {
	text       []byte
	end, empty bool // </a>, <a/>
}

// label is the name of the element as paths spell it, whatever its prefix.
func (t tag) label() []byte {
	name := t.text[1:]
	if i := bytes.IndexAny(name, " \t\r\n/>"); i >= 0 {
		name = name[:i]
	}
	if i := bytes.IndexByte(name, ':'); i >= 0 {
		return name[i:]
	}
	return name
}

// next returns the next tag; ok is false when there is none that has an end.
func (t *tags) next() (found tag, ok bool) {
	for {
		i := bytes.IndexByte(t.text[t.at:], '<')
		if i < 0 {
			return tag{}, false
		}
		from := t.at + i
		rest := t.text[from:]
		length := 0
		switch {
		case bytes.HasPrefix(rest, []byte("<!--")):
			length = through(rest, "-->", len("<!--"))
		case bytes.HasPrefix(rest, []byte("<![CDATA[")):
			length = through(rest, "]]>", 0)
		case bytes.HasPrefix(rest, []byte("<?")):
			length = through(rest, "?>", 0)
		case bytes.HasPrefix(rest, []byte("<!")):
			length = throughDirective(rest)
		default:
			length = throughTag(rest)
			found = tag{text: rest[:length]}
		}
		if length == 0 {
			return tag{}, false
		}
		t.at = from + length
		if found.text != nil {
			found.end = found.text[1] == '/'
			found.empty = !found.end && found.text[length-2] == '/'
			return found, true
		}
	}
}

// through returns the length of text up to and with the end that is not before skip, 0 without.
func through(text []byte, end string, skip int) int {
	i := bytes.Index(text[skip:], []byte(end))
	if i < 0 {
		return 0
	}
	return skip + i + len(end)
}

// throughValue returns the length of the value in quotes that text begins with, 0 if it has no end.
func throughValue(text []byte) int {
	i := bytes.IndexByte(text[1:], text[0])
	if i < 0 {
		return 0
	}
	return i + 2
}

// throughTag returns the length of the tag that text begins with, 0 if it has no end.
func throughTag(text []byte) int {
	for at := 1; at < len(text); at++ {
		switch text[at] {
		case '>':
			return at + 1
		case '"', '\'':
			n := throughValue(text[at:])
			if n == 0 {
				return 0
			}
			at += n - 1
		}
	}
	return 0
}

// throughDirective returns the length of a document type or its like, 0 if it has no end.
func throughDirective(text []byte) int {
	depth := 1
	for at := len("<!x"); at < len(text); at++ { // what follows <! is never a quote to encoding/xml
		switch text[at] {
		case '<':
			if bytes.HasPrefix(text[at:], []byte("<!--")) {
				n := through(text[at:], "-->", len("<!--"))
				if n == 0 {
					return 0
				}
				at += n - 1
				continue
			}
			depth++
		case '>':
			if depth--; depth == 0 {
				return at + 1
			}
		case '"', '\'':
			n := throughValue(text[at:])
			if n == 0 {
				return 0
			}
			at += n - 1
		}
	}
	return 0
}
