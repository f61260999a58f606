// SPDX-License-Identifier: Apache-2.0

package xmldoc

import (
	"encoding/xml"
	"reflect"
	"strings"
)

// attrs reads the attributes of an element into the fields of v.
func (d *decoder) attrs(attrs []xml.Attr, v reflect.Value, l *layout, w *words) {
	for _, a := range attrs {
		if isDeclaration(a) {
			d.declared = append(d.declared, a)
			continue
		}
		f := l.attr(a.Name)
		switch {
		case f != nil:
			to := v.FieldByIndex(f.index)
			once := w.merge || d.Compat && w.first
			if once && (!to.IsZero() || d.Compat && d.meet(a.Name.Local)) {
				continue
			}
			d.set(to, f, a.Value, a.Name.Local)
			if f.zero && a.Value != "" && to.IsZero() && l.anyAttr != nil {
				other := v.FieldByIndex(l.anyAttr).Addr().Interface().(*[]xml.Attr)
				*other = append(*other, a)
			}
		case d.Aliases && l.anyAttr != nil && l.aliases == a.Name.Local && a.Name.Space == "":
			to := v.FieldByIndex(l.anyAttr).Addr().Interface().(*[]xml.Attr)
			*to = append(*to, a)
		case d.Strict && !w.opaque:
			d.problem(ruleUnknownA, a.Name.Local, "there is no attribute %s here%s", spell(a.Name), d.hint(a.Name.Local, l.attrs))
		case l.anyAttr != nil && (!d.Compat || w.opaque):
			to := v.FieldByIndex(l.anyAttr).Addr().Interface().(*[]xml.Attr)
			*to = append(*to, a)
		}
	}
}

// isDeclaration reports whether a declares a prefix or the default namespace.
func isDeclaration(a xml.Attr) bool {
	return a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns"
}

// spell returns a name with its namespace for a message.
func spell(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return "{" + n.Space + "}" + n.Local
}

// hint returns a guess which of the fields was meant by the name of another case.
func (d *decoder) hint(local string, fields []*field) string {
	for _, f := range fields {
		if strings.EqualFold(f.name, local) {
			return " (did you mean " + f.label + "?)"
		}
	}
	return ""
}
