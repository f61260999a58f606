// SPDX-License-Identifier: Apache-2.0

package xmldoc

import (
	"fmt"
	"reflect"
	"slices"
)

// order returns the child elements in the order they are written in for the element v: that of the fields,
// but for those that the word before moves.
func (l *layout) order(v reflect.Value) []*field {
	elems := l.elems
	for at, f := range l.elems {
		if f.before == "" || l.text(v, f.whenAttr) != f.whenText {
			continue
		}
		to := slices.IndexFunc(elems, func(other *field) bool { return other.name == f.before })
		if to < 0 || to > at {
			continue
		}
		elems = slices.Insert(slices.Delete(slices.Clone(elems), at, at+1), to, f)
	}
	return elems
}

// text returns the text of an attribute of v.
func (l *layout) text(v reflect.Value, attr string) string {
	for _, f := range l.attrs {
		if f.name != attr {
			continue
		}
		value := v.FieldByIndex(f.index)
		if f.kind == kindString {
			return value.String()
		}
		return value.Addr().Interface().(fmt.Stringer).String()
	}
	return ""
}
