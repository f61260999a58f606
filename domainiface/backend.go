// SPDX-License-Identifier: Apache-2.0

package domainiface

import "github.com/go-virtnet/virtnet/network/schema"

// A Backend is a <backend> element: the program or the device files behind the device.
//
//	<backend type='passt' logFile='/var/log/web-passt.log'/>
//	<backend tap='/dev/net/tun' vhost='/dev/vhost-net'/>
type Backend struct {
	Type BackendType `xml:"type,attr,omitempty"`
	// Tap and Vhost are device files. Absent ones are those of the system.
	Tap     schema.Text `xml:"tap,attr,omitempty"`
	Vhost   schema.Text `xml:"vhost,attr,omitempty"`
	LogFile schema.Text `xml:"logFile,attr,omitempty"` // passt
	schema.Extra
}

// A BackendType is a program that serves types user and vhostuser. The zero BackendType is absent, which
// means default.
type BackendType uint8

// The programs.
const (
	BackendDefault BackendType = iota + 1
	BackendPasst
)

var backendTypeWords = []string{"", "default", "passt"}

// String returns the word of the document, "" when absent.
func (t BackendType) String() string { return schema.Word(backendTypeWords, t) }

// MarshalText returns the same text as String.
func (t BackendType) MarshalText() ([]byte, error) { return schema.MarshalWord(backendTypeWords, t) }

// UnmarshalText accepts the two words of the document.
func (t *BackendType) UnmarshalText(text []byte) error {
	return schema.UnmarshalWord(backendTypeWords, text, t)
}

// passt reports whether the program is passt.
func (b *Backend) passt() bool { return b != nil && b.Type == BackendPasst }

// A Script is a <script> or <downscript> element: a program that connects or disconnects the device.
//
//	<script path='/etc/qemu-ifup'/>
type Script struct {
	Path string `xml:"path,attr,omitempty"`
	schema.Extra
}

// A BackendDomain is a <backenddomain> element: the guest that serves the device, on Xen.
//
//	<backenddomain name='netvm'/>
type BackendDomain struct {
	Name string `xml:"name,attr,omitempty"`
	schema.Extra
}

// PrivateData is a <privateData> element: what a hypervisor keeps of a running guest. All of it is kept in
// Extra.
//
//	<privateData>
//	  <state pid='77'/>
//	</privateData>
type PrivateData struct{ schema.Extra }
