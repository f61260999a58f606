// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"regexp"
	"strings"
)

// An exception is a rule of libvirt's grammar that libvirt itself does not hold to: it accepts such a document without
// the option to validate it, and then writes what the grammar refuses.
type exception struct {
	why  string
	only string         // an attribute or element: its parent, * for any, and its name
	fine *regexp.Regexp // what the grammar takes there; nil if nothing
}

var exceptions = []exception{
	{"names of devices and port groups are of few characters", "bridge/@name", deviceName},
	{"", "source/@bridge", deviceName},
	{"", "source/@dev", deviceName},
	{"", "target/@dev", deviceName},
	{"", "guest/@dev", deviceName},
	{"", "forward/@dev", deviceName},
	{"", "interface/@dev", deviceName},
	{"", "pf/@dev", deviceName},
	{"", "portgroup/@name", deviceName},
	{"", "source/@portgroup", deviceName},
	{"names in DNS are of few characters", "domain/@name", dnsName},
	{"", "forwarder/@domain", dnsName},
	{"", "hostname", dnsName},
	{"", "txt/@name", dnsName},
	{"", "srv/@domain", dnsName},
	{"", "srv/@target", dnsName},
	{"", "bootp/@server", dnsName},
	{"zones and drivers are of few characters", "bridge/@zone", regexp.MustCompile(`^[A-Za-z0-9_-]+$`)},
	{"", "driver/@model", regexp.MustCompile(`^[A-Za-z0-9_+-]+$`)},
	{"the addresses of DHCP hosts have two digits a byte", "host/@mac", regexp.MustCompile(`^[0-9A-Fa-f][02468ACEace](:[0-9A-Fa-f]{2}){5}$`)},
	{"and either an address or an identity", "host[mac]/@id", nil},
	{"a DUID is well-formed", "host/@id", regexp.MustCompile(`^(0[0-4]{1,2}|[0-4])(:[0-9A-Fa-f]{1,2}){5,}$`)},
	{"the protocol of a service is one of two", "srv/@protocol", regexp.MustCompile(`^(tcp|udp)$`)},
	{"the port of a service and of NAT is not zero", "port/@start", notZero},
	{"an MTU has 16 bits", "mtu/@size", regexp.MustCompile(`^\d{1,5}$`)},
	{"a trunk is on", "vlan/@trunk", regexp.MustCompile(`^yes$`)},
	{"the parameters of midonet have an identity", "virtualport[midonet]", nil},
}

// newer are exceptions for grammars that are older than libvirt 11.3: they have no register.
var newer = []exception{
	{"since libvirt 9.7", "title", nil},
	{"since libvirt 9.7", "description", nil},
	{"rates of more than 32 bits since libvirt 10", "*/@average", rate32},
	{"rates of more than 32 bits since libvirt 10", "*/@peak", rate32},
	{"rates of more than 32 bits since libvirt 10", "*/@floor", rate32},
	{"since libvirt 10.1", "domain/@register", nil},
}

var (
	deviceName = regexp.MustCompile(`^[A-Za-z0-9_.\-\\:/]+$`)
	dnsName    = regexp.MustCompile(`^[A-Za-z0-9.-]+$`)
	rate32     = regexp.MustCompile(`^\d{1,9}$`)
	notZero    = regexp.MustCompile(`^[1-9]`)
)

// excepted returns why the grammar may refuse the document, "" if there is no exception for it.
func (t *tree) excepted(exceptions []exception) (why string) {
	for _, e := range exceptions {
		if e.why != "" {
			why = e.why
		}
		if t.offends(e) {
			return why
		}
	}
	return ""
}

// offends reports whether t or anything in it is what the exception is for.
func (t *tree) offends(e exception) bool {
	name, attr, isAttr := strings.Cut(e.only, "/@")
	name, having, _ := strings.Cut(strings.TrimSuffix(name, "]"), "[")
	if (name == "*" || t.name.Local == name) && (having == "" || t.attr(having) != "" || t.attr("type") == having) {
		value, given := t.text, true
		if isAttr {
			value, given = t.attr(attr), t.given(attr)
		}
		if given && (e.fine == nil || !e.fine.MatchString(value)) {
			return true
		}
	}
	for _, k := range t.kids {
		if k.offends(e) {
			return true
		}
	}
	return false
}

func (t *tree) given(attr string) bool {
	for _, a := range t.attrs {
		if a.Name.Local == attr {
			return true
		}
	}
	return false
}
