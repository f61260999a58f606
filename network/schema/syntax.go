// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"slices"
	"strconv"
	"strings"
)

// A SyntaxError says that a scalar cannot be read. The reader of a document turns it into a
// [Violation] by adding the place.
type SyntaxError struct {
	Kind string // what was expected: "mac", "uuid", "address", "number", "token"
	Text string // what was found
	Want string // what is allowed, in words
	Hint string // the nearest allowed word; may be empty
}

// Error returns what was found, what is allowed, and a guess where there is a near miss.
func (e *SyntaxError) Error() string {
	var b strings.Builder
	b.WriteString(Quote(e.Text))
	b.WriteString(" is not ")
	b.WriteString(e.Want)
	if e.Hint != "" {
		b.WriteString(" (did you mean ")
		b.WriteString(strconv.Quote(e.Hint))
		b.WriteString("?)")
	}
	return b.String()
}

// Rule returns the name of the rule that the text breaks, such as "mac-syntax".
func (e *SyntaxError) Rule() string { return e.Kind + "-syntax" }

// quoted is how much of a found text a message shows.
const quoted = 80

// Quote returns text in quotes for a message: control characters escaped, a long text cut short.
func Quote(text string) string {
	if len(text) > quoted {
		return strconv.Quote(text[:quoted]) + "..."
	}
	return strconv.Quote(text)
}

// Nearest returns the word that text most likely was meant to be, or "" when none is near: the same word in
// another case or with blanks around, one that others say for it, the beginning of one, or one that differs in
// up to a third of its letters.
func Nearest(text string, words []string) string {
	if len(text) > 32 {
		return ""
	}
	low := strings.ToLower(strings.TrimSpace(text))
	for _, w := range otherWords(low) {
		if slices.Contains(words, w) {
			return w
		}
	}
	best, least := "", 32
	for _, w := range words {
		word := strings.ToLower(w)
		d := edits(low, word)
		if len(low) >= 3 && strings.HasPrefix(word, low) {
			d = min(d, 1)
		}
		if d < least && 3*d <= len(w)+1 {
			best, least = w, d
		}
	}
	return best
}

// otherWords returns the words of the dialect for one that is said elsewhere: in IEEE 802.1 and its drafts, in the
// kernel, and where switches are true and false.
func otherWords(word string) []string {
	switch word {
	case "veb":
		return []string{"bridge"}
	case "pepa":
		return []string{"private"}
	case "passthru":
		return []string{"passthrough"}
	case "evb", "qbg":
		return []string{"802.1Qbg"}
	case "vn-tag", "vntag", "qbh":
		return []string{"802.1Qbh"}
	case "ovs":
		return []string{"openvswitch"}
	case "true", "1", "enable", "enabled", "on", "yes":
		return []string{"yes", "on"}
	case "false", "0", "disable", "disabled", "off", "no":
		return []string{"no", "off"}
	}
	return nil
}

// edits is the Levenshtein distance of two short texts.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
