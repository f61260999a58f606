// SPDX-License-Identifier: Apache-2.0

package compat

// A difference is a part of the answers to questions of a kind. In [differences] it is of all kinds that begin with the same
// words.
type difference struct{ kind, part string }

func (d difference) String() string { return d.kind + ", " + d.part }

// differences are those between what dnsmasq answers and what is answered in process, with the reason of each. Each of them occurs.
var differences = map[difference]string{
	{"DHCPv4", "option 61"}: "RFC 6842 wants the client's identifier back, and dnsmasq does not give it",

	{"DHCPv4", "from"}: "dnsmasq lets the kernel choose the sender among the addresses of a link with several subnets; here it is the one that the guest is told of",
	{"DHCPv4 INFORM without a list", "option 51"}: "RFC 2131, section 4.3.5, forbids to tell a time to who has not asked for an address",
	{"DHCPv6", "option 24"}:                       "dnsmasq does not tell the domain to guests that ask for it, though it tells it to those of IPv4",
	{"DHCPv6 SOLICIT", "option 7"}:                "dnsmasq does not say that it is the only server where it hands out no address of IPv4, and guests wait for others",
	{"DHCPv6 SOLICIT", "option 13"}:               "dnsmasq says outside of the association that it has no address; RFC 8415, section 18.3.9, wants it inside",
	{"DHCPv6 SOLICIT", "option 3"}:                "as above",
	{"DHCPv6 rapid SOLICIT", "option 7"}:          "as above",
	{"DHCPv6 rapid SOLICIT", "option 13"}:         "as above",
	{"DHCPv6 RELEASE of nothing", "option 3"}:     "dnsmasq repeats the address that is none; RFC 8415, section 18.3.7, wants nothing there but the status",

	{"DNS foreign name that fails", "answered here only"}: "dnsmasq keeps a failure to itself where the servers are asked in order, and clients wait for nothing",
	{"DNS domain", "flags"}:                               "dnsmasq does not say that the one who knows is it, of a domain that is its own",
	{"DNS service", "code"}:                               "as with known names",
	{"DNS text", "code"}:                                  "as with known names",
	{"DNS known name", "code"}:                            "dnsmasq refuses what it does not have of a name that it has, which resolvers take for a broken server: there is nothing of that type",
	{"DNS known name", "authority"}:                       "dnsmasq asks others what it does not have of a name that is the network's own, which tells them the names of guests",
	{"DNS known name", "flags"}:                           "dnsmasq passes on what others say, as above",
	{"DNS name of the machine", "code"}:                   "as with other known names",
	{"DNS name of the machine", "authority"}:              "as with other known names",
	{"DNS name of the machine", "flags"}:                  "as with other known names",

	{"router advertisement", "option 25"}: "dnsmasq names itself by its address on the link, where it listens as well; the address of the document needs no zone in the files of guests",
	{"router advertisement", "option 31"}: "dnsmasq tells the domain by DHCP alone, which guests that choose their addresses do not speak",
}
