// SPDX-License-Identifier: Apache-2.0

package serve

import "github.com/go-virtnet/virtnet/network/host"

// keywords are the lines that have a meaning here.
var keywords = map[string]keyword{
	"dhcp-option":       {read: dhcpOption(false)},
	"dhcp-option-force": {read: dhcpOption(true)},
	"dhcp-boot":         {read: dhcpBoot},
	"dhcp-match":        {read: dhcpMatch},
	"dhcp-vendorclass":  {read: dhcpClass(60, 16)},
	"dhcp-userclass":    {read: dhcpClass(77, 15)},
	"dhcp-mac":          {read: dhcpMAC},
	"dhcp-name-match":   {read: dhcpNameMatch},
	"tag-if":            {read: tagIf},
	"dhcp-ignore":       {read: dhcpWhen(func(d *dhcpDirectives) *[][]string { return &d.ignore })},
	"dhcp-ignore-names": {read: dhcpWhen(func(d *dhcpDirectives) *[][]string { return &d.ignoreNames }), bare: true},
	"dhcp-broadcast":    {read: dhcpWhen(func(d *dhcpDirectives) *[][]string { return &d.broadcast }), bare: true},
	"dhcp-host":         {read: dhcpHost},
	"dhcp-range":        {read: dhcpRange},
	"dhcp-lease-max":    {read: dhcpLeaseMax},
	"dhcp-rapid-commit": {read: func(r *optionReader, _ string) error { r.said.dhcp.rapid = true; return nil }, bare: true},
	"enable-tftp":       {read: func(r *optionReader, _ string) error { r.tftp = true; return nil }, bare: true},
	"tftp-root":         {read: tftpRoot},

	"server":        {read: forNames(serverLine)},
	"local":         {read: forNames(serverLine)},
	"address":       {read: forNames(addressLine)},
	"rev-server":    {read: forNames(revServer)},
	"host-record":   {read: forNames(hostRecordLine)},
	"cname":         {read: forNames(cnameLine)},
	"ptr-record":    {read: forNames(ptrLine)},
	"txt-record":    {read: forNames(txtLine)},
	"srv-host":      {read: forNames(srvLine)},
	"domain":        {read: domainLine},
	"bogus-priv":    {read: forNames(bogusPriv), bare: true},
	"cache-size":    {read: forNames(cacheSize)},
	"local-ttl":     {read: forNames(localTTL)},
	"no-resolv":     {read: forNames(func(_ *optionReader, dns *host.DNS, _ string) error { dns.NoForward = true; return nil }), bare: true},
	"no-hosts":      {read: forNames(func(r *optionReader, _ *host.DNS, _ string) error { r.said.dns.noHosts = true; return nil }), bare: true},
	"domain-needed": {read: forNames(func(_ *optionReader, dns *host.DNS, _ string) error { dns.KeepPlainNames = true; return nil }), bare: true},
	"resolv-file": {read: forNames(func(r *optionReader, _ *host.DNS, value string) error {
		r.said.dns.resolvers = plain(value)
		return nil
	})},

	"listen-address":   {read: listens},
	"interface":        {read: listens},
	"except-interface": {read: func(r *optionReader, value string) error { return exceptInterface(r, value) }},
	"port":             {read: portLine},

	// What is always so.
	"dhcp-authoritative": {}, "dhcp-no-override": {}, "expand-hosts": {}, "localise-queries": {}, "strict-order": {}, "no-ping": {},
	"bind-dynamic": {}, "bind-interfaces": {}, "no-poll": {}, "enable-ra": {}, "domain-suffix": {},
	"quiet-dhcp": {}, "quiet-dhcp6": {}, "quiet-ra": {}, "quiet-tftp": {},
	// What says how a program is to be run.
	"pid-file": {}, "user": {}, "group": {}, "keep-in-foreground": {}, "no-daemon": {}, "dhcp-leasefile": {}, "log-async": {},
	"log-facility": {}, "enable-dbus": {}, "enable-ubus": {},
}

// unheardOf are the lines of which people might expect something that is not done here, with the reason.
var unheardOf = map[string]string{
	"log-queries":           "nothing is written down of each packet",
	"log-dhcp":              "nothing is written down of each packet",
	"log-debug":             "nothing is written down of each packet",
	"dhcp-script":           "no program is run for leases: Leases tells of them",
	"dhcp-luascript":        "no program is run for leases: Leases tells of them",
	"conf-file":             "no other files are read",
	"conf-dir":              "no other files are read",
	"addn-hosts":            "no other files are read",
	"hostsdir":              "no other files are read",
	"dhcp-hostsfile":        "no other files are read",
	"dhcp-hostsdir":         "no other files are read",
	"dhcp-optsfile":         "no other files are read",
	"servers-file":          "no other files are read",
	"read-ethers":           "no other files are read",
	"auth-server":           "names are served to guests and to nobody else",
	"auth-zone":             "names are served to guests and to nobody else",
	"dnssec":                "signatures are passed on, not proven",
	"trust-anchor":          "signatures are passed on, not proven",
	"dnssec-check-unsigned": "signatures are passed on, not proven",
	"proxy-dnssec":          "signatures are passed on as they come",
	"stop-dns-rebind":       "answers of others are passed on as they come",
	"rebind-localhost-ok":   "answers of others are passed on as they come",
	"rebind-domain-ok":      "answers of others are passed on as they come",
	"bogus-nxdomain":        "answers of others are passed on as they come",
	"ignore-address":        "answers of others are passed on as they come",
	"filter-A":              "answers of others are passed on as they come",
	"filter-AAAA":           "answers of others are passed on as they come",
	"alias":                 "answers of others are passed on as they come",
	"min-cache-ttl":         "answers of others are passed on as they come",
	"max-ttl":               "answers of others are passed on as they come",
	"max-cache-ttl":         "answers of others are passed on as they come",
	"neg-ttl":               "answers of others are passed on as they come",
	"ipset":                 "nothing else of the machine is changed",
	"nftset":                "nothing else of the machine is changed",
	"all-servers":           "servers are asked one after the other",
	"mx-host":               "records of this kind are not made here",
	"naptr-record":          "records of this kind are not made here",
	"caa-record":            "records of this kind are not made here",
	"dns-rr":                "records of this kind are not made here",
	"interface-name":        "records of this kind are not made here",
	"dhcp-relay":            "requests are answered here, not passed on",
	"dhcp-proxy":            "requests are answered here, not passed on",
	"pxe-service":           "menus of PXE are not made here",
	"pxe-prompt":            "menus of PXE are not made here",
	"dhcp-option-pxe":       "menus of PXE are not made here",
	"bootp-dynamic":         "a client that never comes back has a static address or none",
	"dhcp-sequential-ip":    "addresses are chosen by who asks for one",
	"dhcp-fqdn":             "a guest is known by its name alone as well",
	"ra-param":              "what a router says follows from the document",
	"tftp-no-blocksize":     "clients choose the size of blocks",
	"tftp-secure":           "each file of the folder is for everybody",
	"tftp-unique-root":      "all guests have the same folder",
}

// exceptInterface is about a device on which nothing is served.
func exceptInterface(r *optionReader, value string) error {
	for _, field := range fields(value) {
		if field == r.server.Link {
			return unheard("the server listens on the device of its network and nowhere else")
		}
	}
	return nil
}
