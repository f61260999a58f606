// SPDX-License-Identifier: Apache-2.0

package xmldoc

import "fmt"

// A Problem is something in a document that cannot be read.
type Problem struct {
	Path   string // the element or attribute
	Rule   string // the name of what it breaks
	Line   int    // counted from 1
	Column int    // in bytes, counted from 1
	Msg    string

	offset int64 // of the element in the text
}

// The rules of reading that no type of a field has.
const (
	ruleSyntax   = "xml-syntax"        // the text is XML
	ruleRoot     = "xml-root"          // the root element is the one of the document, in no namespace
	ruleSize     = "xml-size"          // the document is not larger than MaxSize and MaxTags
	ruleDepth    = "xml-depth"         // elements are nested no deeper than MaxDepth
	ruleAttrOnce = "attribute-once"    // an attribute is given once
	ruleElemOnce = "element-once"      // an element that cannot be repeated is given once (strict)
	ruleUnknownA = "attribute-unknown" // there are no unknown attributes (strict)
	ruleUnknownE = "element-unknown"   // there are no unknown elements (strict)
	ruleText     = "text-unknown"      // there is no text between elements (strict)
	ruleValue    = "value-syntax"      // a value can be read
)

// problem records what is wrong at the current element, or with one of its attributes.
func (d *decoder) problem(rule, attr, format string, args ...any) {
	path := d.pathText()
	if attr != "" {
		path += "/@" + attr
	}
	d.problems = append(d.problems, Problem{path, rule, d.at.Line, d.at.Column, fmt.Sprintf(format, args...), d.offset})
}
