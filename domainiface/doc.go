// SPDX-License-Identifier: Apache-2.0

// Package domainiface reads, checks, completes and writes <interface>, the network device of a guest.
//
// It is about the document and what follows from it on the host; it is no emulator of a device and
// knows nothing of the rest of a guest.
//
//	iface, err := domainiface.Parse(strings.NewReader(
//		`<interface type='direct'><source dev='eth0' mode='bridge'/></interface>`))
//	if err == nil {
//		err = iface.Validate()
//	}
package domainiface
