// SPDX-License-Identifier: Apache-2.0

package xmldoc

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"reflect"
)

// The limits of a document. They are far above what anybody writes and keep a hostile one cheap.
const (
	MaxSize  = 16 << 20 // bytes of text
	MaxTags  = 1 << 19  // the character <
	MaxDepth = 256      // elements in each other
	MaxAttrs = 256      // attributes of an element, and prefixes declared around one
)

// Options say how a document is read. The zero Options take it as libvirt does and keep what they do
// not know.
type Options struct {
	Strict bool // refuse what is not known, and an element that is given twice
	Compat bool // read exactly what libvirt reads: drop what is not known, be lax where it is

	Aliases bool // fields with the word alias are read by UnmarshalAlias, attributes with it kept
}

// A Result is what [Read] found out besides the content.
type Result struct {
	Text     []byte    // the text of the document
	Problems []Problem // all that is wrong with it
	Complete bool      // it was read to its end, and what has no problem is in the model
}

// Read reads a whole document into v, a pointer to a struct, whose root element is root. Everything that is
// wrong with the text is a problem; an error is one of r.
func Read(r io.Reader, root string, v any, o Options) (*Result, error) {
	text, err := readAll(r)
	if err != nil {
		return nil, err
	}
	d := &decoder{Options: o, path: []step{{name: root}}}
	if problem := size(text); problem != "" {
		d.at = Place{1, 1}
		d.problem(ruleSize, "", "%s", problem)
		return &Result{Problems: d.problems}, nil
	}
	simple, at, err := plain(text, o.Compat)
	d.xml = xml.NewDecoder(bytes.NewReader(simple))
	if d.offset = int64(at); err == nil {
		err = d.document(root, v)
	}
	if err != nil {
		d.fatal(err)
	}
	if len(text) > 0 && (&simple[0] != &text[0] || d.at.Line == 0) {
		d.replace(text)
	}
	for i := range d.problems {
		d.problems[i].refine(text)
	}
	return &Result{text, d.problems, err == nil}, nil
}

// Decode reads the element that start opens into v: for the UnmarshalXML method of a document, so that
// [xml.Unmarshal] and [Read] agree. The element is the one that the tag of v's XMLName says.
func Decode(from *xml.Decoder, start xml.StartElement, v any, o Options) []Problem {
	root := layoutOf(reflect.TypeOf(v).Elem()).root
	d := &decoder{Options: o, xml: from, path: []step{{name: root}}}
	d.at.Line, d.at.Column = from.InputPos()
	err := d.isRoot(start, root)
	if err == nil {
		err = d.root(start, v)
	}
	if err != nil {
		d.fatal(err)
	}
	return d.problems
}

// readAll reads r up to one byte more than is allowed.
func readAll(r io.Reader) ([]byte, error) {
	if sized, ok := r.(interface{ Len() int }); ok && sized.Len() <= MaxSize {
		text := make([]byte, sized.Len())
		n, err := io.ReadFull(r, text)
		if err == io.ErrUnexpectedEOF || err == io.EOF {
			err = nil
		}
		return text[:n], err
	}
	return io.ReadAll(io.LimitReader(r, MaxSize+1))
}

// size returns what is too large about text.
func size(text []byte) string {
	if len(text) > MaxSize {
		return fmt.Sprintf("the document is larger than the %d MiB that are allowed", MaxSize>>20)
	}
	if tags := bytes.Count(text, []byte("<")); tags > MaxTags {
		return fmt.Sprintf("the document has %d tags, of which %d are allowed", tags, MaxTags)
	}
	return ""
}

// document reads the root element and what may stand around it.
func (d *decoder) document(root string, v any) error {
	for {
		start, err := d.next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return &ruleError{ruleSyntax, "", "the document has no element"}
			}
			return err
		}
		if start == nil {
			continue
		}
		if err := d.isRoot(*start, root); err != nil {
			return err
		}
		if err := d.root(*start, v); err != nil {
			return err
		}
		break
	}
	for {
		start, err := d.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if start != nil {
			return &ruleError{ruleSyntax, "", fmt.Sprintf("<%s> follows the root element", start.Name.Local)}
		}
	}
}

// isRoot refuses a root element that is not the one of the document.
func (d *decoder) isRoot(start xml.StartElement, root string) error {
	if start.Name.Local != root {
		return &ruleError{ruleRoot, "", fmt.Sprintf("the root element is <%s>, not <%s>", start.Name.Local, root)}
	}
	if start.Name.Space != "" && !d.Compat {
		return &ruleError{ruleRoot, "", fmt.Sprintf("the root element is in the namespace %q, not in none", start.Name.Space)}
	}
	return CheckNames(start)
}

// next returns the next token outside the root element if it opens an element.
func (d *decoder) next() (*xml.StartElement, error) {
	tok, err := d.token()
	if err != nil {
		return nil, err
	}
	switch tok := tok.(type) {
	case xml.StartElement:
		return &tok, nil
	case xml.CharData:
		if text := bytes.TrimSpace(bytes.TrimPrefix(tok, []byte("\ufeff"))); len(text) > 0 {
			return nil, &ruleError{ruleSyntax, "", "there is text outside the root element"}
		}
	}
	return nil, nil
}

// A ruleError ends the reading of a document.
type ruleError struct{ rule, attr, msg string }

func (e *ruleError) Error() string { return e.msg }

// fatal records the error that ended the reading.
func (d *decoder) fatal(err error) {
	var syntax *xml.SyntaxError
	var rule *ruleError
	var named interface{ Rule() string }
	switch {
	case errors.As(err, &rule):
		d.problem(rule.rule, rule.attr, "%s", rule.msg)
	case errors.As(err, &named):
		d.problem(named.Rule(), "", "%s", err)
	case errors.As(err, &syntax):
		_, column := d.xml.InputPos()
		d.offset = d.xml.InputOffset()
		d.at = Place{syntax.Line, max(column, 1)} // 0 after a line end that was looked at and put back
		d.problem(ruleSyntax, "", "not well-formed: %s", syntax.Msg)
	case errors.Is(err, io.EOF):
		d.problem(ruleSyntax, "", "not well-formed: unexpected end of the text")
	default:
		d.problem(ruleSyntax, "", "%s", err)
	}
}
