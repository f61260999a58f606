// SPDX-License-Identifier: Apache-2.0

package schema

// A Layer is who decides about the port of a guest, in the order in which they are asked. The zero Layer is nobody:
// what holds is what is usual.
type Layer uint8

// The layers.
const (
	ByDefault   Layer = iota // nobody says anything
	ByInterface              // the interface of the guest, or the port that was asked for
	ByNetwork                // the network
	ByPortGroup              // the port group of the network
	Generated                // made up, because something is needed that nobody gives
)

var layerWords = []string{"default", "interface", "network", "portgroup", "generated"}

// String returns the layer in one word: default, interface, network, portgroup, generated.
func (l Layer) String() string { return Word(layerWords, l) }

// MarshalText returns the same text as String.
func (l Layer) MarshalText() ([]byte, error) { return MarshalWord(layerWords, l) }

// A Setting is something that holds for the port of a guest, and who decided it.
type Setting struct {
	Name  string // what: vlan, "virtualport profileid"
	Value string // how it is, for people: "42", "none"
	Layer Layer
	Path  string // where Layer says so: /network/portgroup[1]/vlan; "" for what is usual or made up
}
