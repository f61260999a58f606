// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"reflect"
	"strings"
)

// KeepFirsts puts elements back that say nothing and were dropped from a document, where a second one of them is kept: it
// would be the first when the document is read again. Both are pointers to the same type of document, before and after.
func KeepFirsts(before, after any) {
	keepFirsts(reflect.ValueOf(before).Elem(), reflect.ValueOf(after).Elem())
}

func keepFirsts(before, after reflect.Value) {
	var extra *Extra
	if f := after.FieldByName("Extra"); f.IsValid() && f.CanAddr() {
		extra, _ = f.Addr().Interface().(*Extra)
	}
	for i := range after.NumField() {
		field := after.Type().Field(i)
		if field.IsExported() && !field.Anonymous {
			keepFirst(extra, field, before.Field(i), after.Field(i))
		}
	}
}

func keepFirst(extra *Extra, field reflect.StructField, before, after reflect.Value) {
	switch {
	case before.Kind() == reflect.Pointer && before.Type().Elem().Kind() == reflect.Struct && !before.IsNil():
		name, _, _ := strings.Cut(field.Tag.Get("xml"), ",")
		if after.IsNil() && extra != nil && extra.HasNode(name) {
			after.Set(reflect.New(after.Type().Elem()))
		} else if !after.IsNil() {
			keepFirsts(before.Elem(), after.Elem())
		}
	case before.Kind() == reflect.Slice && before.Type().Elem().Kind() == reflect.Struct && before.Len() == after.Len():
		for n := range before.Len() {
			keepFirsts(before.Index(n), after.Index(n))
		}
	}
}
