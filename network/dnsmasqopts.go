// SPDX-License-Identifier: Apache-2.0

package network

import "github.com/go-virtnet/virtnet/network/schema"

// DnsmasqOptions is a <dnsmasq:options> element: lines for the configuration of dnsmasq, as they are.
//
//	<dnsmasq:options xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'>
//	  <dnsmasq:option value='cname=www,web'/>
//	</dnsmasq:options>
type DnsmasqOptions struct {
	Options []DnsmasqOption `xml:"http://libvirt.org/schemas/network/dnsmasq/1.0 option" doc:"prefix=dnsmasq"`
	schema.Extra
}

// A DnsmasqOption is a <dnsmasq:option> element: one line.
//
//	<dnsmasq:option value='cname=www,web'/>
type DnsmasqOption struct {
	Value schema.Text `xml:"value,attr,omitempty"`
	schema.Extra
}
