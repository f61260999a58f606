// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"
	"strings"
)

// A Sysctl is a kernel parameter and its value, without the line end.
type Sysctl struct {
	// Key is the path below /proc/sys, such as "net/ipv6/conf/virbr0/accept_ra".
	Key, Value string
}

// SetSysctl changes a kernel parameter that belongs to one link: sysctl -w KEY=VALUE. Was is what it replaces. Only
// parameters below net/ipv4/conf/LINK/ and net/ipv6/conf/LINK/ are allowed, and not those of "all" and "default". A
// parameter that is not there is fs.ErrNotExist, and a value that the kernel does not take fs.ErrInvalid.
type SetSysctl struct {
	Key, Value, Was string
}

// Check refuses keys that are not those of one link.
func (o SetSysctl) Check() error {
	parts := strings.Split(o.Key, "/")
	if len(parts) != 5 || parts[0] != "net" || (parts[1] != "ipv4" && parts[1] != "ipv6") || parts[2] != "conf" {
		return invalid("kernel parameter %q is not one of a link", o.Key)
	}
	if parts[3] == "all" || parts[3] == "default" || CheckName(parts[3]) != nil {
		return invalid("kernel parameter %q is not one of a link", o.Key)
	}
	for _, part := range []string{parts[4], o.Value, o.Was} {
		if part == "" || part == "." || part == ".." || strings.ContainsFunc(part, func(r rune) bool { return r <= ' ' || r == '/' || r >= 0x7f }) {
			return invalid("kernel parameter %s=%q (was %q)", o.Key, o.Value, o.Was)
		}
	}
	return nil
}

// sysctlLink is the link that a parameter belongs to, and empty if it belongs to none.
func sysctlLink(key string) string {
	if parts := strings.Split(key, "/"); len(parts) == 5 {
		return parts[3]
	}
	return ""
}

// Inverse puts the old value back.
func (o SetSysctl) Inverse() Op { return SetSysctl{Key: o.Key, Value: o.Was, Was: o.Value} }

// Scope is the parameter.
func (o SetSysctl) Scope() Scope { return Scope{Sysctls: []string{o.Key}} }

// Holds if the parameter has the value.
func (o SetSysctl) Holds(f *Facts) bool {
	value, ok := f.Sysctl(o.Key)
	return ok && value == o.Value
}

func (o SetSysctl) String() string {
	return fmt.Sprintf("sysctl %s=%s (was %s)", o.Key, o.Value, o.Was)
}
