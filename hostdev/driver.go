// SPDX-License-Identifier: Apache-2.0

package hostdev

import "github.com/go-virtnet/virtnet/network/schema"

// A Driver is a <driver> element: what on the host passes a device through to a guest.
//
//	<driver name='vfio' model='mlx5_vfio_pci'/>
type Driver struct {
	// Name is the way of passing through. Absent leaves it to the host.
	Name DriverName `xml:"name,attr,omitempty"`
	// Model is the kernel driver to bind. Absent leaves it to the host.
	Model schema.Text `xml:"model,attr,omitempty"`
	schema.Extra
}

// A DriverName is a way of passing a device through. The zero DriverName is absent.
type DriverName uint8

// The ways.
const (
	KVM DriverName = iota + 1 // of old kernels
	VFIO
	Xen
)

var driverNameWords = []string{"", "kvm", "vfio", "xen"}

// String returns the word of the document, "" when absent.
func (n DriverName) String() string { return schema.Word(driverNameWords, n) }

// MarshalText returns the same text as String.
func (n DriverName) MarshalText() ([]byte, error) { return schema.MarshalWord(driverNameWords, n) }

// UnmarshalText accepts the three words of the document.
func (n *DriverName) UnmarshalText(text []byte) error {
	return schema.UnmarshalWord(driverNameWords, text, n)
}

// Clone returns a copy that shares nothing with d, nil for nil.
func (d *Driver) Clone() *Driver {
	if d == nil {
		return nil
	}
	c := *d
	c.Extra = schema.CloneExtra(d.Extra)
	return &c
}
