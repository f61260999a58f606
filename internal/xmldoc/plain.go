// SPDX-License-Identifier: Apache-2.0

package xmldoc

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

// plain returns text as encoding/xml has to see it to read it as the standard says, of the same length: without the
// declaration of XML, of which it knows one version only, and with blanks for the tabs and line ends in the values of
// attributes. A text that needs nothing of it is returned as it is. The error is what encoding/xml would let pass, at the
// byte at.
func plain(text []byte, anyEncoding bool) (simple []byte, at int, err error) {
	if simple, err = undeclared(text, anyEncoding); err != nil {
		return text, 0, err
	}
	return blankValues(simple)
}

// declaration is the declaration of XML, with its encoding in one of two groups.
var declaration = regexp.MustCompile(`^(?:\x{feff})?<\?xml\s+version\s*=\s*(?:'1\.[0-9]+'|"1\.[0-9]+")` +
	`(?:\s+encoding\s*=\s*(?:'([A-Za-z][-A-Za-z0-9._]*)'|"([A-Za-z][-A-Za-z0-9._]*)"))?` +
	`(?:\s+standalone\s*=\s*(?:'yes'|'no'|"yes"|"no"))?\s*\?>`)

// undeclared blanks the declaration at the beginning of text. Only what is UTF-8 can be read, but with anyEncoding the
// text is, whatever it says.
func undeclared(text []byte, anyEncoding bool) ([]byte, error) {
	if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) {
		return nil, &ruleError{ruleSyntax, "", "the text is encoded in UTF-16; only UTF-8 is read"}
	}
	rest := bytes.TrimPrefix(text, []byte("\ufeff"))
	if !bytes.HasPrefix(rest, []byte("<?xml")) || len(rest) > 5 && !isSpace(rest[5]) && rest[5] != '?' {
		return text, nil
	}
	found := declaration.FindSubmatch(text)
	if found == nil {
		return nil, &ruleError{ruleSyntax, "", "not well-formed: the declaration of XML is not of the form <?xml version='1.0' encoding='UTF-8' standalone='yes'?>"}
	}
	encoding := string(found[1]) + string(found[2])
	switch strings.ToLower(encoding) {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
	default:
		if !anyEncoding {
			return nil, &ruleError{ruleSyntax, "", fmt.Sprintf("the text is encoded in %s; only UTF-8 is read", encoding)}
		}
	}
	simple := bytes.Clone(text)
	for i := range len(found[0]) {
		if simple[i] != '\n' {
			simple[i] = ' '
		}
	}
	return simple, nil
}

// blankValues makes blanks of the tabs and line ends in the values of attributes, which those written as references
// stay. Two bytes of a line end are one blank, and the value is shorter then, with a blank behind it.
func blankValues(text []byte) (simple []byte, at int, err error) {
	simple = text
	all := tags{text: text}
	for {
		found, ok := all.next()
		if !ok {
			return simple, 0, nil
		}
		start := all.at - len(found.text)
		for at := 1; at < len(found.text); at++ {
			quote := found.text[at]
			if quote != '"' && quote != '\'' {
				continue
			}
			length := bytes.IndexByte(found.text[at+1:], quote)
			value := found.text[at+1 : at+1+length]
			if bytes.ContainsAny(value, "\t\r\n") {
				if &simple[0] == &text[0] {
					simple = bytes.Clone(text)
				}
				copy(simple[start+at+1:], blanked(value, quote))
			}
			at += length + 1
			if c := found.text[at+1]; !isSpace(c) && c != '/' && c != '>' {
				return simple, start, &ruleError{ruleSyntax, "", "not well-formed: there is no blank between two attributes of " + string(found.label())}
			}
		}
	}
}

// blanked returns a value with blanks, the quote behind it, and more blanks up to the length that it had.
func blanked(value []byte, quote byte) []byte {
	b := bytes.ReplaceAll(value, []byte("\r\n"), []byte(" "))
	for i, c := range b {
		if isSpace(c) {
			b[i] = ' '
		}
	}
	b = append(b, quote)
	for len(b) <= len(value) {
		b = append(b, ' ')
	}
	return b
}

// replace gives the problems that were found in a plain text their places in text.
func (d *decoder) replace(text []byte) {
	for i := range d.problems {
		p := &d.problems[i]
		at := min(int(p.offset), len(text))
		p.Line = 1 + bytes.Count(text[:at], []byte("\n"))
		p.Column = at - bytes.LastIndexByte(text[:at], '\n')
	}
}
