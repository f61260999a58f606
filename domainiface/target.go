// SPDX-License-Identifier: Apache-2.0

package domainiface

import "github.com/go-virtnet/virtnet/network/schema"

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
