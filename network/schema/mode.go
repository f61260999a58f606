// SPDX-License-Identifier: Apache-2.0

package schema

// A MacvtapMode says how the macvtap devices on one lower device reach each other. The zero
// MacvtapMode is absent.
type MacvtapMode uint8

// The modes, in the words of the kernel.
const (
	MacvtapVEPA        MacvtapMode = iota + 1 // by way of the switch outside, which reflects
	MacvtapPrivate                            // not at all
	MacvtapBridge                             // directly
	MacvtapPassthrough                        // one macvtap has the lower device alone
)

var macvtapModeWords = []string{"", "vepa", "private", "bridge", "passthrough"}

// String returns the word of the document, "" when absent.
func (m MacvtapMode) String() string { return Word(macvtapModeWords, m) }

// MarshalText returns the same text as String.
func (m MacvtapMode) MarshalText() ([]byte, error) { return MarshalWord(macvtapModeWords, m) }

// UnmarshalText accepts the four words of the document.
func (m *MacvtapMode) UnmarshalText(text []byte) error {
	return HintMode(text, UnmarshalWord(macvtapModeWords, text, m))
}

// A MACTableManager says who fills the forwarding table of a bridge. The zero MACTableManager is
// absent, which means the kernel.
type MACTableManager uint8

// The managers: the kernel learns from traffic and floods what it does not know; or the one who
// attaches a guest enters its address, and learning and flooding are off.
const (
	ManagedByKernel MACTableManager = iota + 1
	ManagedByLibvirt
)

var macTableManagerWords = []string{"", "kernel", "libvirt"}

// String returns the word of the document, "" when absent.
func (m MACTableManager) String() string { return Word(macTableManagerWords, m) }

// MarshalText returns the same text as String.
func (m MACTableManager) MarshalText() ([]byte, error) { return MarshalWord(macTableManagerWords, m) }

// UnmarshalText accepts the two words of the document.
func (m *MACTableManager) UnmarshalText(text []byte) error {
	return UnmarshalWord(macTableManagerWords, text, m)
}
