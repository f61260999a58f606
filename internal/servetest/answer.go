// SPDX-License-Identifier: Apache-2.0

package servetest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// An Answer is what a server answers, part by part. No answer is an empty one.
type Answer map[string]string

// String has a part on each line.
func (a Answer) String() string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(a)) {
		fmt.Fprintf(&b, "%s: %s\n", key, a[key])
	}
	return b.String()
}

// Parts are the names of the parts in which two answers differ, in alphabetical order.
func (a Answer) Parts(b Answer) (parts []string) {
	for key := range a {
		if other, ok := b[key]; !ok || other != a[key] {
			parts = append(parts, key)
		}
	}
	for key := range b {
		if _, ok := a[key]; !ok {
			parts = append(parts, key)
		}
	}
	slices.Sort(parts)
	return parts
}

// Part is the value of a part, and "-" where there is none.
func (a Answer) Part(key string) string {
	if v, ok := a[key]; ok {
		return v
	}
	return "-"
}
