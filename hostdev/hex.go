// SPDX-License-Identifier: Apache-2.0

package hostdev

import (
	"fmt"
	"math"

	"github.com/go-virtnet/virtnet/network/schema"
)

// A Hex4 is a number that a document may spell in any C base and that is written with at least four
// hexadecimal digits.
type Hex4 uint32

// A Hex2 is a [Hex4] with at least two digits.
type Hex2 uint32

// A Hex1 is a [Hex4] with at least one digit.
type Hex1 uint32

// String returns the number as it is written in a document, such as 0x0001.
func (h Hex4) String() string { return fmt.Sprintf("0x%04x", uint32(h)) }

// String returns the number as it is written in a document, such as 0x5e.
func (h Hex2) String() string { return fmt.Sprintf("0x%02x", uint32(h)) }

// String returns the number as it is written in a document, such as 0x3.
func (h Hex1) String() string { return fmt.Sprintf("0x%01x", uint32(h)) }

// MarshalText returns the same text as String.
func (h Hex4) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// MarshalText returns the same text as String.
func (h Hex2) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// MarshalText returns the same text as String.
func (h Hex1) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText accepts a number of any C base that fits 32 bits.
func (h *Hex4) UnmarshalText(text []byte) error { return readHex(text, (*uint32)(h)) }

// UnmarshalText accepts a number of any C base that fits 32 bits.
func (h *Hex2) UnmarshalText(text []byte) error { return readHex(text, (*uint32)(h)) }

// UnmarshalText accepts a number of any C base that fits 32 bits.
func (h *Hex1) UnmarshalText(text []byte) error { return readHex(text, (*uint32)(h)) }

func readHex(text []byte, to *uint32) error {
	var n schema.CNumber
	if err := n.UnmarshalText(text); err != nil {
		return err
	}
	if n.Uint() > math.MaxUint32 {
		return &schema.SyntaxError{Kind: "number", Text: string(text), Want: "a whole number of 32 bits"}
	}
	*to = uint32(n.Uint())
	return nil
}
