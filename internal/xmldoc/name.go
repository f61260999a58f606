// SPDX-License-Identifier: Apache-2.0

package xmldoc

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// CheckNames refuses what encoding/xml lets pass in the names of a start tag: a part after a colon that can be no
// name of its own, as in p:0, and an attribute given twice.
func CheckNames(start xml.StartElement) error {
	if !isName(start.Name.Local) {
		return &ruleError{ruleSyntax, "", spell(start.Name) + " is not the name of an element"}
	}
	for _, a := range start.Attr {
		if !isName(a.Name.Local) {
			return &ruleError{ruleSyntax, "", spell(a.Name) + " is not the name of an attribute"}
		}
	}
	if len(start.Attr) > MaxAttrs {
		return TooMany("attributes", len(start.Attr))
	}
	if a := twice(start.Attr); a != nil {
		return &ruleError{ruleAttrOnce, a.Name.Local, "the attribute " + spell(a.Name) + " is given more than once"}
	}
	return nil
}

// TooMany says that an element has more than [MaxAttrs] of something.
func TooMany(what string, n int) error {
	return &ruleError{ruleSize, "", fmt.Sprintf("the element has %d %s, of which %d are allowed", n, what, MaxAttrs)}
}

// IsDeclaration reports whether a declares a prefix or the default namespace.
func IsDeclaration(a xml.Attr) bool { return isDeclaration(a) }

// isName reports whether a name without a prefix can stand alone.
func isName(local string) bool {
	if strings.Contains(local, ":") || local == "" {
		return false
	}
	if c := local[0]; 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' {
		return true
	}
	tok, err := xml.NewDecoder(strings.NewReader("<" + local + "/>")).RawToken()
	start, ok := tok.(xml.StartElement)
	return err == nil && ok && start.Name.Local == local
}

// twice returns an attribute that is given more than once, or nil.
func twice(attrs []xml.Attr) *xml.Attr {
	if len(attrs) > 16 {
		seen := make(map[xml.Name]bool, len(attrs))
		for i := range attrs {
			if seen[attrs[i].Name] {
				return &attrs[i]
			}
			seen[attrs[i].Name] = true
		}
		return nil
	}
	for i := range attrs {
		for j := range i {
			if attrs[i].Name.Local == attrs[j].Name.Local && attrs[i].Name.Space == attrs[j].Name.Space {
				return &attrs[i]
			}
		}
	}
	return nil
}
