// SPDX-License-Identifier: Apache-2.0

package xmldoc

// A Place is a position in a text, counted from 1. The zero Place is not known.
type Place struct{ Line, Column int }

// Locate returns where the paths lead in text.
func Locate(text []byte, paths []string) []Place { return make([]Place, len(paths)) }
