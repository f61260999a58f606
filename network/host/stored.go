// SPDX-License-Identifier: Apache-2.0

package host

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
)

// storedStep is how a step is written down: the name of its operation's type beside the operation's fields.
type storedStep struct {
	From string          `json:"from,omitempty"`
	Op   string          `json:"op"`
	Arg  json.RawMessage `json:"arg"`
	Note string          `json:"note,omitempty"`
}

// MarshalJSON writes the step with the name of its operation. A value that is none of this package's operations wraps
// fs.ErrInvalid.
func (s Step) MarshalJSON() ([]byte, error) {
	if !slices.ContainsFunc(operations(), func(known Op) bool { return reflect.TypeOf(known) == reflect.TypeOf(s.Op) }) {
		return nil, invalid("operation %T", s.Op)
	}
	arg, err := json.Marshal(s.Op)
	if err != nil {
		return nil, err
	}
	return json.Marshal(storedStep{From: s.From, Op: reflect.TypeOf(s.Op).Name(), Arg: arg, Note: s.Note})
}

// UnmarshalJSON reads what MarshalJSON writes. The name of an operation that this version does not know wraps
// fs.ErrInvalid.
func (s *Step) UnmarshalJSON(data []byte) error {
	var stored storedStep
	if err := json.Unmarshal(data, &stored); err != nil {
		return err
	}
	for _, known := range operations() {
		kind := reflect.TypeOf(known)
		if kind.Name() != stored.Op {
			continue
		}
		value := reflect.New(kind)
		if err := json.Unmarshal(stored.Arg, value.Interface()); err != nil {
			return fmt.Errorf("operation %s: %w", stored.Op, err)
		}
		*s = Step{Op: value.Elem().Interface().(Op), From: stored.From, Note: stored.Note}
		return nil
	}
	return invalid("operation %q", stored.Op)
}
