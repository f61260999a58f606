// SPDX-License-Identifier: Apache-2.0

package dnsmasq

import (
	"strconv"
	"strings"
)

// A Version is the version of the program. The zero Version is not known.
type Version struct{ Major, Minor int }

// ParseVersion reads what "dnsmasq --version" prints. Programs that are called otherwise, or count otherwise, are
// not known, which is no reason not to use them.
func ParseVersion(output string) Version {
	_, rest, ok := strings.Cut(output, "ersion ")
	if !ok {
		return Version{}
	}
	rest = strings.TrimLeft(strings.SplitN(rest, "\n", 2)[0], "vV-")
	major, rest, _ := strings.Cut(rest, ".")
	var v Version
	var err error
	if v.Major, err = strconv.Atoi(major); err != nil || v.Major < 0 {
		return Version{}
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(rest)
	}
	if v.Minor, err = strconv.Atoi(rest[:end]); err != nil {
		return Version{}
	}
	return v
}

// ParseLacks reads from what "dnsmasq --version" prints what the program was built without, in its own words, such as
// DHCPv6 or TFTP. It is empty for a program that does not say.
func ParseLacks(output string) []string {
	_, rest, ok := strings.Cut(output, "ompile time options:")
	if !ok {
		return nil
	}
	var lacks []string
	for _, word := range strings.Fields(strings.SplitN(rest, "\n", 2)[0]) {
		if without, ok := strings.CutPrefix(word, "no-"); ok {
			lacks = append(lacks, without)
		}
	}
	return lacks
}
