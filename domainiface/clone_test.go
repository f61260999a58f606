// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestCloneSharesNothing looks for a pointer or a slice that a document has in common with its copy.
func TestCloneSharesNothing(t *testing.T) {
	for path, text := range files(t, "valid/*.xml") {
		i := parse(t, text)
		shared := map[uintptr]string{}
		references(reflect.ValueOf(i), "", func(at uintptr, where string) { shared[at] = where })
		references(reflect.ValueOf(i.Clone()), "", func(at uintptr, where string) {
			assert.NotContains(t, shared, at, "%s: %s", path, where)
		})
	}
}

// references calls found for whatever can be changed through v.
func references(v reflect.Value, where string, found func(at uintptr, where string)) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			found(v.Pointer(), where)
			references(v.Elem(), where, found)
		}
	case reflect.Slice:
		if v.Cap() > 0 {
			found(v.Pointer(), where)
		}
		for i := range v.Len() {
			references(v.Index(i), where+"[]", found)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.IsExported() && f.Name != "Origin" { // the text that was read, which never changes
				references(v.Field(i), where+"."+f.Name, found)
			}
		}
	}
}
