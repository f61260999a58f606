// SPDX-License-Identifier: Apache-2.0

package domainiface

import "github.com/go-virtnet/virtnet/network/schema"

// A Boot is a <boot> element: when the guest tries to boot from the device.
//
//	<boot order='1'/>
type Boot struct {
	// Order is 1 for the first device that is tried.
	Order    schema.Number `xml:"order,attr,omitempty"`
	LoadParm schema.Text   `xml:"loadparm,attr,omitempty"`
	schema.Extra
}

// An Alias is an <alias> element: the name of the device in the guest's definition.
//
//	<alias name='ua-uplink'/>
type Alias struct {
	// Name starts with ua- when it is the user's, and not the hypervisor's.
	Name schema.Text `xml:"name,attr,omitempty"`
	schema.Extra
}

// A ROM is a <rom> element: the firmware of the device.
//
//	<rom bar='on' file='/etc/fake/boot.bin'/>
type ROM struct {
	Enabled schema.YesNo `xml:"enabled,attr,omitempty"`
	Bar     schema.OnOff `xml:"bar,attr,omitempty"`
	File    schema.Text  `xml:"file,attr,omitempty"`
	schema.Extra
}

// An ACPI is an <acpi> element: the number that the firmware gives the device, from which guests make its
// name.
//
//	<acpi index='4'/>
type ACPI struct {
	Index schema.Number `xml:"index,attr,omitempty"`
	schema.Extra
}
