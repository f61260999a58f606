// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"errors"
	"strings"
)

// ModeAlias returns the mode that a word of the proposals of 2010 stands for, in any case: VEPA, PEPA and
// VEB, which are vepa, private and bridge, passthru for passthrough, and the words of the document. Any other
// word is 0. A reader takes them only if it is asked to, and nothing writes them.
func ModeAlias(word string) MacvtapMode {
	switch strings.ToLower(word) {
	case "vepa":
		return MacvtapVEPA
	case "pepa", "private":
		return MacvtapPrivate
	case "veb", "bridge":
		return MacvtapBridge
	case "passthru", "passthrough":
		return MacvtapPassthrough
	}
	return 0
}

// HintMode puts the mode that the text is an alias of into a [SyntaxError] about it, for types that have the modes
// among their words. It returns err.
func HintMode(text []byte, err error) error {
	var syntax *SyntaxError
	if m := ModeAlias(string(text)); m != 0 && errors.As(err, &syntax) {
		syntax.Hint = m.String()
	}
	return err
}
