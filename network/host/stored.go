// SPDX-License-Identifier: Apache-2.0

package host

import (
	"encoding/json"
	"fmt"
	"reflect"
	"sync"
)

// storedStep is how a step is written down: the name of its operation's type beside the operation's fields.
type storedStep[Arg any] struct {
	From string `json:"from,omitempty"`
	Op   string `json:"op"`
	Arg  Arg    `json:"arg"`
	Note string `json:"note,omitempty"`
}

// MarshalJSON writes the step with the name of its operation. A value that is none of this package's operations wraps
// fs.ErrInvalid.
func (s Step) MarshalJSON() ([]byte, error) {
	kind := reflect.TypeOf(s.Op)
	if kind == nil || kinds()[kind.Name()] != kind {
		return nil, invalid("operation %T", s.Op)
	}
	return json.Marshal(storedStep[Op]{From: s.From, Op: kind.Name(), Arg: s.Op, Note: s.Note})
}

// UnmarshalJSON reads what MarshalJSON writes. The name of an operation that this version does not know wraps
// fs.ErrInvalid.
func (s *Step) UnmarshalJSON(data []byte) error {
	var stored storedStep[json.RawMessage]
	if err := json.Unmarshal(data, &stored); err != nil {
		return err
	}
	kind, ok := kinds()[stored.Op]
	if !ok {
		return invalid("operation %q", stored.Op)
	}
	value := reflect.New(kind)
	if err := json.Unmarshal(stored.Arg, value.Interface()); err != nil {
		return fmt.Errorf("operation %s: %w", stored.Op, err)
	}
	*s = Step{Op: value.Elem().Interface().(Op), From: stored.From, Note: stored.Note}
	return nil
}

// kinds are the types of the operations, by their names.
var kinds = sync.OnceValue(func() map[string]reflect.Type {
	all := map[string]reflect.Type{}
	for _, op := range operations() {
		kind := reflect.TypeOf(op)
		all[kind.Name()] = kind
	}
	return all
})
