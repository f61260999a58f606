// SPDX-License-Identifier: Apache-2.0

package network

import (
	"fmt"

	"github.com/go-virtnet/virtnet/network/schema"
)

// An Update is one change of a network's document: virsh net-update NETWORK COMMAND SECTION XML.
//
//	network.Update{
//		Section: network.SectionDHCPHost,
//		Command: network.CommandAddLast,
//		XML:     `<host mac='52:54:00:00:00:01' name='web' ip='192.168.122.10'/>`,
//	}
type Update struct {
	// Section is what kind of element is changed, and where it stands.
	Section Section
	// Command is what is done with it.
	Command Command
	// IP is the number of the <ip> that has the element, counted from 1 as in paths: 1 is /network/ip[1]. 0 or less finds it:
	// the first <ip> with DHCP, else the first of IPv4, else the first of IPv6. It counts in the sections of DHCP and, for what
	// is there already, in SectionIP. The --parent-index of virsh counts from 0 and is one less.
	IP int
	// XML is the element: for CommandDelete as much of it as says which one is meant.
	XML string
}

// String returns the update in the words of virsh net-update.
func (u Update) String() string {
	s := u.Command.String() + " " + u.Section.String()
	if u.IP > 0 {
		s += fmt.Sprintf(" --parent-index %d", u.IP-1)
	}
	return s + " " + u.XML
}

// A Section is a place of a network's document that an [Update] changes. The zero Section is none.
type Section uint8

// The sections. Beside each stand the element, what makes two of its kind the same, and the commands that it takes. In
// the sections that are marked libvirt 11.3 refuses every command: see [UpdateSection].
const (
	SectionBridge           Section = iota + 1 // <bridge>; modify; not in libvirt
	SectionDomain                              // <domain>; add, modify, delete; not in libvirt
	SectionIP                                  // <ip>: its address, or Update.IP; add, modify, delete; not in libvirt
	SectionDHCPHost                            // <host> of <dhcp>: mac, name or ip; add, modify, delete
	SectionDHCPRange                           // <range>: start and end; add, delete
	SectionForward                             // <forward>; add, modify, delete; not in libvirt
	SectionForwardInterface                    // <interface> of <forward>: dev; add, delete
	SectionForwardPF                           // <pf> of <forward>; add, modify, delete; not in libvirt
	SectionPortGroup                           // <portgroup>: name; add, modify, delete
	SectionDNSHost                             // <host> of <dns>: ip, or for delete a hostname too; add, modify, delete
	SectionDNSTXT                              // <txt>: name; add, modify (only the value), delete
	SectionDNSSRV                              // <srv>: service, protocol, domain and target, those that are given; add, delete
	SectionPortForward                         // <forward> of <virtnet:forwards>, in no namespace: proto, address, port, and the family of to; add, modify, delete; not in libvirt
)

var sectionWords = []string{"", "bridge", "domain", "ip", "ip-dhcp-host", "ip-dhcp-range", "forward", "forward-interface",
	"forward-pf", "portgroup", "dns-host", "dns-txt", "dns-srv", "port-forward"}

// sectionRoots are the elements of the sections.
var sectionRoots = []string{"", "bridge", "domain", "ip", "host", "range", "forward", "interface", "pf", "portgroup", "host", "txt", "srv", "forward"}

// String returns the word of virsh, "" for none.
func (s Section) String() string { return schema.Word(sectionWords, s) }

// MarshalText returns the same text as String.
func (s Section) MarshalText() ([]byte, error) { return schema.MarshalWord(sectionWords, s) }

// UnmarshalText accepts the words of virsh.
func (s *Section) UnmarshalText(text []byte) error {
	return schema.UnmarshalWord(sectionWords, text, s)
}

// A Command is what an [Update] does. The zero Command is none.
type Command uint8

// The commands.
const (
	CommandModify   Command = iota + 1 // put the element in the place of the one that is the same
	CommandDelete                      // take away the one that is the same
	CommandAddLast                     // add the element behind the others of its kind
	CommandAddFirst                    // add it before them
)

var commandWords = []string{"", "modify", "delete", "add-last", "add-first"}

// String returns the word of virsh, "" for none.
func (c Command) String() string { return schema.Word(commandWords, c) }

// MarshalText returns the same text as String.
func (c Command) MarshalText() ([]byte, error) { return schema.MarshalWord(commandWords, c) }

// UnmarshalText accepts the words of virsh, of which add is another one for add-last.
func (c *Command) UnmarshalText(text []byte) error {
	if string(text) == "add" {
		*c = CommandAddLast
		return nil
	}
	return schema.UnmarshalWord(commandWords, text, c)
}

func (c Command) adds() bool { return c == CommandAddLast || c == CommandAddFirst }

// Updated returns what becomes of n by the updates, one after the other. It is [Network.UpdatedAs] with all rules.
func (n *Network) Updated(updates ...Update) (*Network, error) {
	return n.UpdatedAs(schema.Rules{}, updates...)
}

// UpdatedAs returns what becomes of n by the updates, one after the other; n itself stays as it is. It is all of them or an
// error, which says what is wrong with one of them:
//
//   - [schema.Violations] for XML that cannot be read, and for rules that the network would break, with the line and column
//     in the XML of the update where that is to blame
//   - an error that wraps [io/fs.ErrExist] for adding what is there, [io/fs.ErrNotExist] for changing what is not, and
//     [errors.ErrUnsupported] for a command that the section does not take
//
// With Compat it accepts, refuses and makes what libvirt 11.3 does, which reads n anew before each update and so loses what
// it loses then. Without it, elements that are not known are refused in the XML and kept in n.
func (n *Network) UpdatedAs(rules schema.Rules, updates ...Update) (*Network, error) {
	updated := n
	for i, u := range updates {
		var err error
		if updated, err = updated.updated(u, rules); err != nil {
			if len(updates) > 1 {
				err = fmt.Errorf("update %d of %d: %w", i+1, len(updates), err)
			}
			return nil, err
		}
	}
	if updated == n {
		updated = n.Clone()
	}
	return updated, nil
}
