// SPDX-License-Identifier: Apache-2.0

package schema

import "strings"

// Word returns the spelling of v in words, an enumeration's spellings indexed by value. It is the
// String method of every enumeration; a value outside words reads "invalid".
func Word[T ~uint8](words []string, v T) string {
	if int(v) < len(words) {
		return words[v]
	}
	return "invalid"
}

// MarshalWord returns the spelling of v for the MarshalText method of an enumeration. A value outside
// words is an error.
func MarshalWord[T ~uint8](words []string, v T) ([]byte, error) {
	if int(v) >= len(words) {
		return nil, &SyntaxError{Kind: "token", Text: "invalid", Want: oneOf(words[1:])}
	}
	return []byte(words[v]), nil
}

// UnmarshalWord sets v to the value whose spelling is text, for the UnmarshalText method of an
// enumeration. Anything else is a [SyntaxError] that lists the spellings and names the nearest one.
func UnmarshalWord[T ~uint8](words []string, text []byte, v *T) error {
	for i := 1; i < len(words); i++ {
		if words[i] == string(text) {
			*v = T(i)
			return nil
		}
	}
	return &SyntaxError{Kind: "token", Text: string(text), Want: oneOf(words[1:]), Hint: Nearest(string(text), words[1:])}
}

// oneOf lists words in a sentence: "yes or no".
func oneOf(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
