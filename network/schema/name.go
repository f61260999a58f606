// SPDX-License-Identifier: Apache-2.0

package schema

import "strings"

// HasControl reports whether s contains a control character of ASCII: a line end, a tab, a NUL and their
// like. No value with one may reach a configuration file, a file name or a command.
func HasControl(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return true
		}
	}
	return false
}

// maxDevice is the longest name of a network device.
const maxDevice = 15

// IsDevice reports whether the Linux kernel takes s as the name of a network device: 1 to 15 bytes without
// white space, control characters, slashes and colons, and neither "." nor "..".
func IsDevice(s string) bool {
	return s != "" && len(s) <= maxDevice && s != "." && s != ".." && !HasControl(s) && !strings.ContainsAny(s, " /:\u00a0\u0085")
}

// WantDevice says in a message what [IsDevice] accepts.
const WantDevice = "the name of a network device: 1 to 15 bytes without white space, / and :"

// IsDNSName reports whether s is a domain name as DNS can carry it: at most 253 bytes, labels of 1 to 63
// letters, digits, dashes and underscores between single dots, no dash first or last in a label.
func IsDNSName(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if !isWord(label[i]) {
				return false
			}
		}
	}
	return true
}

// WantDNSName says in a message what [IsDNSName] accepts.
const WantDNSName = "a domain name: labels of 1 to 63 letters, digits, - and _ between dots, at most 253 bytes"

// isWord reports whether c is a letter, a digit, a dash or an underscore.
func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}
