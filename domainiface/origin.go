// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"encoding/json"
	"fmt"
	"strings"
)

// An origin is what a port was made for, as it is kept with it.
type origin struct {
	guest Guest
	asked *Interface
}

// originText is how an origin is kept.
type originText struct {
	Guest     Guest  `json:"guest"`
	Interface string `json:"interface"`
}

// MarshalText returns the text that is kept.
func (o origin) MarshalText() ([]byte, error) {
	text, err := o.asked.Format()
	if err != nil {
		return nil, err
	}
	return json.Marshal(originText{o.guest, string(text)})
}

// UnmarshalText reads what MarshalText returned.
func (o *origin) UnmarshalText(text []byte) error {
	var kept originText
	if err := json.Unmarshal(text, &kept); err != nil {
		return fmt.Errorf("what it was made for: %w", err)
	}
	i, err := Parse(strings.NewReader(kept.Interface))
	if err != nil {
		return fmt.Errorf("what it was made for: %w", err)
	}
	o.guest, o.asked = kept.Guest, i
	return nil
}
