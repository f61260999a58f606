// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"strings"

	"github.com/go-virtnet/virtnet/network/schema"
)

// A Target is a <target> element: the device on the host.
//
//	<target dev='web0'/>
type Target struct {
	// Dev is its name. Absent leaves it to the library, and a %d in it stands for a number that makes it
	// free.
	Dev schema.Text `xml:"dev,attr,omitempty"`
	// Managed that is no means that the device exists and stays (ethernet). Absent is yes.
	Managed schema.YesNo `xml:"managed,attr,omitempty"`
	schema.Extra
	_ struct{} `xml:"-" doc:"alias=mode"`
}

// A GuestDev is a <guest> element: the device inside a container.
//
//	<guest dev='eth0'/>
type GuestDev struct {
	Dev string `xml:"dev,attr,omitempty"`
	// Actual is the name it got: only in what is told of a running guest.
	Actual string `xml:"actual,attr,omitempty"`
	schema.Extra
}

func (t *Target) check(c *schema.Check, kind Type) {
	c.Rule(t.Managed != schema.No || kind == Ethernet, "target-managed-type", "@managed", "type %s makes its device itself", kind)
	if dev := t.Dev.String(); dev != "" {
		c.Deviates(isTargetName(dev), TargetDevice, "@dev", "%s is not %s; a template has one %%d", schema.Quote(dev), schema.WantDevice)
	}
}

// isTargetName reports whether name is that of a device, or a template that becomes one: one %, followed by d.
func isTargetName(name string) bool {
	if before, after, ok := strings.Cut(name, "%"); ok {
		if after == "" || after[0] != 'd' || strings.Contains(after, "%") {
			return false
		}
		name = before + "0" + after[1:]
	}
	return schema.IsDevice(name)
}
