// SPDX-License-Identifier: Apache-2.0

package linux

// A ServerProgram is the program that serves guests. It is for people: nothing is decided by it, because whether a server can
// do what it is asked to is seen when it is started.
type ServerProgram struct {
	Path string
	// Version is what the program calls its version, such as 2.90; empty if it calls it something else.
	Version string
	// Lacks is what it says it was built without, such as DHCPv6 or TFTP.
	Lacks []string
}
