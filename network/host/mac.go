// SPDX-License-Identifier: Apache-2.0

package host

import (
	"encoding/hex"
	"fmt"
)

// A MAC is an Ethernet hardware address. The zero MAC means none was chosen: the kernel takes a random one.
type MAC [6]byte

// IsZero reports whether m is unset.
func (m MAC) IsZero() bool { return m == MAC{} }

// String is the address in lower case with colons.
func (m MAC) String() string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

// MarshalText writes the form of String; an unset address is empty.
func (m MAC) MarshalText() ([]byte, error) {
	if m.IsZero() {
		return nil, nil
	}
	return []byte(m.String()), nil
}

// UnmarshalText reads what MarshalText writes.
func (m *MAC) UnmarshalText(text []byte) error {
	*m = MAC{}
	if len(text) == 0 {
		return nil
	}
	if len(text) != 17 {
		return invalid("hardware address %q", text)
	}
	for i := range m {
		if i > 0 && text[3*i-1] != ':' {
			return invalid("hardware address %q", text)
		}
		if _, err := hex.Decode(m[i:i+1], text[3*i:3*i+2]); err != nil {
			return invalid("hardware address %q", text)
		}
	}
	return nil
}
