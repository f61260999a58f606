// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"strings"

	"github.com/go-virtnet/virtnet/network/schema"
)

// A Boot is a <boot> element: when the guest tries to boot from the device.
//
//	<boot order='1'/>
type Boot struct {
	// Order is 1 for the first device that is tried.
	Order    schema.Number `xml:"order,attr,omitempty"`
	LoadParm schema.Text   `xml:"loadparm,attr,omitempty"`
	schema.Extra
}

// check checks the parameter of the loader of s390.
func (b *Boot) check(c *schema.Check) {
	if p := b.LoadParm.String(); b.LoadParm.Given() {
		c.Rule(p != "" && len(p) <= maxLoadParm && strings.Trim(strings.ToUpper(p), "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789. ") == "",
			"boot-loadparm", "@loadparm", "%s is not 1 to %d letters, digits, dots and blanks", schema.Quote(p), maxLoadParm)
	}
}

// maxLoadParm is the longest parameter of the loader in bytes.
const maxLoadParm = 8

// An Alias is an <alias> element: the name of the device in the guest's definition. Nil and absent are none.
//
//	<alias name='ua-uplink'/>
type Alias struct {
	// Name starts with ua- when it is the user's, and not the hypervisor's.
	Name schema.Text `xml:"name,attr,omitempty"`
	schema.Extra
}

// own reports whether a is the user's.
func (a *Alias) own() bool {
	rest, ok := strings.CutPrefix(a.Name.String(), "ua-")
	for i := range len(rest) {
		ok = ok && (isWordByte(rest[i]) || rest[i] == '-')
	}
	return ok
}

// A ROM is a <rom> element: the firmware of the device.
//
//	<rom bar='on' file='/etc/fake/boot.bin'/>
type ROM struct {
	// Enabled that is no means that the device has none. Absent is yes.
	Enabled schema.YesNo `xml:"enabled,attr,omitempty"`
	// Bar says whether the guest sees it in its memory. Absent leaves it to the hypervisor.
	Bar schema.OnOff `xml:"bar,attr,omitempty"`
	// File is the firmware. Absent is that of the hypervisor.
	File schema.Text `xml:"file,attr,omitempty"`
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
