// SPDX-License-Identifier: Apache-2.0

// Package schema holds the words that the documents of several packages share: tristate switches,
// numbers, hardware and network addresses, UUIDs, content this library does not know, and the
// violations of rules.
//
// It is not a place for elements of one document, nor for anything that touches a host.
//
// Every scalar has the same shape. Its zero value means that the document does not say. It reads its
// text by UnmarshalText, which follows the lexers of libvirt 11.3, and writes its one canonical
// spelling by String.
//
//	var m schema.MAC
//	err := m.UnmarshalText([]byte("52:54:0:A:B:C"))
//	fmt.Println(m, err) // 52:54:00:0a:0b:0c <nil>
package schema
