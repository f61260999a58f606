// SPDX-License-Identifier: Apache-2.0

package network

import "github.com/go-virtnet/virtnet/network/schema"

// A Domain is a <domain> element: the DNS domain of the guests.
//
//	<domain name='lab.example' localOnly='yes'/>
type Domain struct {
	Name schema.Text `xml:"name,attr,omitempty"`
	// LocalOnly keeps questions about the domain from other servers. Absent is no.
	LocalOnly schema.YesNo `xml:"localOnly,attr,omitempty"`
	// Register has the resolver of the host ask the network's server for names of the domain, if it can be told and there is
	// such a server; see [EventLeftOut]. Absent is no.
	Register schema.YesNo `xml:"register,attr,omitempty"`
	schema.Extra
}

// A DNS is a <dns> element: the DNS server of the network.
//
//	<dns forwardPlainNames='no'>
//	  <forwarder domain='corp' addr='192.0.2.53'/>
//	  <txt name='note' value='hello'/>
//	  <srv service='sip' protocol='tcp' target='sip.example' port='5060'/>
//	  <host ip='192.168.122.2'>
//	    <hostname>gateway</hostname>
//	  </host>
//	</dns>
type DNS struct {
	// Enable switches the server. Absent is yes.
	Enable schema.YesNo `xml:"enable,attr,omitempty"`
	// ForwardPlainNames passes questions about names without a dot on. Absent is yes.
	ForwardPlainNames schema.YesNo `xml:"forwardPlainNames,attr,omitempty"`

	Forwarders []Forwarder `xml:"forwarder"`
	TXTs       []TXT       `xml:"txt"`
	SRVs       []SRV       `xml:"srv"`
	Hosts      []DNSHost   `xml:"host"`
	schema.Extra
}

// Enabled reports whether the network answers DNS questions. A nil DNS does.
func (d *DNS) Enabled() bool { return d == nil || d.Enable != schema.No }

// A Forwarder is a <forwarder> element: another server to ask. With a Domain it is asked about that
// domain only; a Domain without Addr is not asked about anywhere.
//
//	<forwarder domain='corp' addr='192.0.2.53'/>
type Forwarder struct {
	Domain schema.Text `xml:"domain,attr,omitempty"`
	Addr   schema.Addr `xml:"addr,attr"`
	schema.Extra
}

// A TXT is a <txt> element: a TXT record. Name and Value must be given; [schema.Empty] is an empty one.
//
//	<txt name='note' value='hello'/>
type TXT struct {
	Name  schema.Text `xml:"name,attr,omitempty"`
	Value schema.Text `xml:"value,attr,omitempty"`
	schema.Extra
}

// A SRV is a <srv> element: a SRV record. Service and Protocol must be given, without the underscores
// that DNS puts before them. Domain is the network's when absent, and Port, Priority and Weight need a
// Target.
//
//	<srv service='sip' protocol='tcp' domain='example' target='sip.example' port='5060' priority='10' weight='5'/>
type SRV struct {
	Service  schema.Text   `xml:"service,attr,omitempty"`
	Protocol schema.Text   `xml:"protocol,attr,omitempty"`
	Domain   schema.Text   `xml:"domain,attr,omitempty"`
	Target   schema.Text   `xml:"target,attr,omitempty"`
	Port     schema.Number `xml:"port,attr,omitempty" doc:"blank"`
	Priority schema.Number `xml:"priority,attr,omitempty" doc:"blank"`
	Weight   schema.Number `xml:"weight,attr,omitempty" doc:"blank"`
	schema.Extra
}

// A DNSHost is a <host> element inside <dns>: the names of an address.
//
//	<host ip='192.168.122.2'>
//	  <hostname>gateway</hostname>
//	  <hostname>printer</hostname>
//	</host>
type DNSHost struct {
	IP        schema.Addr `xml:"ip,attr"`
	Hostnames []string    `xml:"hostname" doc:"anyns"`
	schema.Extra
}
