// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"strings"

	"github.com/go-virtnet/virtnet/network/schema"
)

// A Model is a <model> element: what card the guest sees.
//
//	<model type='virtio'/>
type Model struct {
	Type ModelType `xml:"type,attr,omitempty" doc:"blank,lax"`
	schema.Extra
}

// Virtio reports whether the model is one of the virtio family. A nil Model, which leaves the choice to
// the hypervisor, is not.
func (m *Model) Virtio() bool { return m != nil && m.Type.Virtio() }

// VnetHeader reports whether the model can use the header by which a tap device passes offloads.
func (m *Model) VnetHeader() bool { return m != nil && m.Type.VnetHeader() }

// A ModelType is the name of a network card. The zero ModelType, "", is absent: the hypervisor chooses.
// Names other than the constants are for hypervisors that know more.
type ModelType string

// Some of the models.
const (
	Virtio                ModelType = "virtio"
	VirtioTransitional    ModelType = "virtio-transitional"
	VirtioNonTransitional ModelType = "virtio-non-transitional"
	E1000                 ModelType = "e1000"
	E1000e                ModelType = "e1000e"
	IGB                   ModelType = "igb"
	RTL8139               ModelType = "rtl8139"
	VMXNet3               ModelType = "vmxnet3"
)

// models are all that libvirt knows. They are found in any case and written like this.
var models = []string{
	"netfront", "rtl8139", "virtio", "e1000", "e1000e", "igb", "virtio-transitional", "virtio-non-transitional",
	"usb-net", "spapr-vlan", "lan9118", "scm91c111", "vlance", "vmxnet", "vmxnet2", "vmxnet3", "Am79C970A",
	"Am79C973", "82540EM", "82545EM", "82543GC",
}

// modelUnknown is the name that libvirt takes for no model.
const modelUnknown = "unknown"

// Virtio reports whether t is one of the virtio family.
func (t ModelType) Virtio() bool {
	return t == Virtio || t == VirtioTransitional || t == VirtioNonTransitional
}

// VnetHeader reports whether t can use the header by which a tap device passes offloads.
func (t ModelType) VnetHeader() bool {
	return t.Virtio() || t == E1000e || t == IGB || t == VMXNet3
}

// String returns the name, "" when absent.
func (t ModelType) String() string { return string(t) }

// UnmarshalText accepts letters, digits, dashes and underscores. A known name is found in any case.
func (t *ModelType) UnmarshalText(text []byte) error {
	for _, m := range models {
		if strings.EqualFold(m, string(text)) {
			*t = ModelType(m)
			return nil
		}
	}
	for _, c := range text {
		if !isWordByte(c) && c != '-' {
			return &schema.SyntaxError{Kind: "model", Text: string(text), Want: "a name of letters, digits, - and _",
				Hint: schema.Nearest(string(text), models)}
		}
	}
	*t = ModelType(text)
	return nil
}

// UnmarshalLax reads the text as libvirt does, which takes the name unknown for none.
func (t *ModelType) UnmarshalLax(text []byte) error {
	if ModelType(text).unknown() {
		return nil
	}
	return t.UnmarshalText(text)
}

// isWordByte reports whether c is a letter, a digit or an underscore.
func isWordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}

// unknown reports whether t is the name that libvirt takes for none.
func (t ModelType) unknown() bool { return strings.EqualFold(string(t), modelUnknown) }
