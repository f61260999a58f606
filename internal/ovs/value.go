// SPDX-License-Identifier: Apache-2.0

package ovs

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
)

// A uuid is a row of the database.
type uuid string

// MarshalJSON writes a reference to the row.
func (u uuid) MarshalJSON() ([]byte, error) { return json.Marshal([]string{"uuid", string(u)}) }

// UnmarshalJSON reads a reference to a row.
func (u *uuid) UnmarshalJSON(data []byte) error {
	var pair [2]string
	if err := json.Unmarshal(data, &pair); err != nil {
		return err
	}
	if pair[0] != "uuid" {
		return fmt.Errorf("%s is no reference to a row: %w", data, fs.ErrInvalid)
	}
	*u = uuid(pair[1])
	return nil
}

// A named is a row that the same transaction inserts under this name.
type named string

// MarshalJSON writes a reference to the row.
func (n named) MarshalJSON() ([]byte, error) { return json.Marshal([]string{"named-uuid", string(n)}) }

// A set is a column with any number of values, in the order in which the database gives them.
type set[T any] []T

// MarshalJSON writes the set; a set of one is written as one, too.
func (s set[T]) MarshalJSON() ([]byte, error) {
	if s == nil {
		s = set[T]{}
	}
	return json.Marshal([]any{"set", []T(s)})
}

// UnmarshalJSON reads a set, or a single value.
func (s *set[T]) UnmarshalJSON(data []byte) error {
	if values, ok := tagged(data, "set"); ok {
		return json.Unmarshal(values, (*[]T)(s))
	}
	var one T
	if err := json.Unmarshal(data, &one); err != nil {
		return err
	}
	*s = set[T]{one}
	return nil
}

// first is the value of a set that has at most one; the zero value if it has none.
func (s set[T]) first() (value T) {
	if len(s) > 0 {
		value = s[0]
	}
	return value
}

// A dict is a column of keys and values.
type dict[K cmp.Ordered, V any] map[K]V

// MarshalJSON writes the pairs in the order of their keys.
func (d dict[K, V]) MarshalJSON() ([]byte, error) {
	pairs := [][2]any{}
	for _, key := range slices.Sorted(maps.Keys(d)) {
		pairs = append(pairs, [2]any{key, d[key]})
	}
	return json.Marshal([]any{"map", pairs})
}

// UnmarshalJSON reads the pairs.
func (d *dict[K, V]) UnmarshalJSON(data []byte) error {
	text, ok := tagged(data, "map")
	if !ok {
		return fmt.Errorf("%s is no map: %w", data, fs.ErrInvalid)
	}
	var pairs [][2]json.RawMessage
	if err := json.Unmarshal(text, &pairs); err != nil {
		return err
	}
	*d = make(dict[K, V], len(pairs))
	for _, pair := range pairs {
		var key K
		var value V
		if err := json.Unmarshal(pair[0], &key); err != nil {
			return err
		}
		if err := json.Unmarshal(pair[1], &value); err != nil {
			return err
		}
		(*d)[key] = value
	}
	return nil
}

// tagged is the second of two values, of which the first is that word.
func tagged(data []byte, word string) (json.RawMessage, bool) {
	var pair []json.RawMessage
	if json.Unmarshal(data, &pair) != nil || len(pair) != 2 {
		return nil, false
	}
	var first string
	if json.Unmarshal(pair[0], &first) != nil || first != word {
		return nil, false
	}
	return pair[1], true
}
