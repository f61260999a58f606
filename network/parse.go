// SPDX-License-Identifier: Apache-2.0

package network

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-virtnet/virtnet/network/schema"
)

// A Reader says how documents are read. The zero Reader reads what libvirt 11.3 reads and keeps what it
// does not know; see [schema.Reader].
type Reader struct {
	Strict bool // refuse what is not known, and an element given twice where the first counts
	Compat bool // drop what libvirt drops and be lax where it is
	// Aliases takes what the proposals of 2010 have, which libvirt never did: the modes VEPA, PEPA and VEB of a
	// <forward> in any case (see [schema.ModeAlias]), and definitions of bridges and devices, which are networks
	// (see [Reader.ParseAll]). What is written is always libvirt's form.
	Aliases bool
}

// Parse reads a <network> document with the zero [Reader].
func Parse(r io.Reader) (*Network, error) { return Reader{}.Parse(r) }

// ParsePort reads a <networkport> document with the zero [Reader].
func ParsePort(r io.Reader) (*Port, error) { return Reader{}.ParsePort(r) }

// Parse reads a <network> document. It finds what cannot be read at all; what the document says is for
// [Network.Validate]. The error is one of r, or [schema.Violations] with everything that cannot be read.
// If that is only some values, the network comes with the error, those values absent, so that both kinds
// of violations can be told at once:
//
//	n, err := network.Parse(file)
//	if n != nil {
//		err = schema.Join(err, n.Validate())
//	}
//
// With Aliases the document may be a definition of 2010 that makes one network.
func (how Reader) Parse(r io.Reader) (*Network, error) {
	if !how.Aliases {
		n, err := how.parse(r)
		return n, hintDefinition(err)
	}
	all, err := how.ParseAll(r)
	switch len(all) {
	case 0:
		return nil, err
	case 1:
		return all[0], err
	}
	return nil, tooMany(all)
}

func (how Reader) parse(r io.Reader) (*Network, error) {
	n := new(Network)
	src, complete, err := schema.Reader(how).Read(r, "network", n)
	if !complete {
		return nil, err
	}
	n.Source = src
	if how.Compat {
		err = n.dropUnread(err)
		if f := n.Forward; f != nil && f.NAT != nil && f.NAT.Address != nil {
			a := f.NAT.Address // which libvirt looks for as IPv4 addresses, and finds in IPv6 ones
			a.Start, a.End = a.Start.Unmap(), a.End.Unmap()
		}
	}
	return n, err
}

// ParsePort reads a <networkport> document as [Reader.Parse] reads a <network>.
func (how Reader) ParsePort(r io.Reader) (*Port, error) {
	p := new(Port)
	src, complete, err := schema.Reader(how).Read(r, "networkport", p)
	if !complete {
		return nil, err
	}
	p.Source = src
	return p, err
}

// UnmarshalXML reads the element as [Parse] does, so that [xml.Unmarshal] and Parse agree.
func (n *Network) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	return schema.Decode(d, start, n)
}

// UnmarshalXML reads the element as [ParsePort] does, so that [xml.Unmarshal] and ParsePort agree.
func (p *Port) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	return schema.Decode(d, start, p)
}

// MarshalXML writes what [Network.Format] does, but for the layout.
func (n Network) MarshalXML(e *xml.Encoder, _ xml.StartElement) error {
	return schema.Encode(e, "network", &n)
}

// MarshalXML writes what [Port.Format] does, but for the layout.
func (p Port) MarshalXML(e *xml.Encoder, _ xml.StartElement) error {
	return schema.Encode(e, "networkport", &p)
}

// Format returns the document in the layout of libvirt: its order of elements and attributes, two spaces a
// level, values in single quotes. It says what n says, no more and no less; see [Network.Normalize].
func (n *Network) Format() ([]byte, error) { return schema.AppendDocument(nil, "network", n) }

// Format returns the document in the layout of libvirt.
func (p *Port) Format() ([]byte, error) { return schema.AppendDocument(nil, "networkport", p) }

// WriteTo writes what [Network.Format] returns.
func (n *Network) WriteTo(w io.Writer) (int64, error) {
	text, err := n.Format()
	if err != nil {
		return 0, err
	}
	written, err := w.Write(text)
	return int64(written), err
}

// dropUnread removes the violations of values that libvirt never looks at.
func (n *Network) dropUnread(err error) error {
	var vs schema.Violations
	if !errors.As(err, &vs) {
		return err
	}
	unread := n.unread()
	var kept schema.Violations
	for _, v := range vs {
		seen := !strings.HasSuffix(v.Path, "/@connections")
		for _, path := range unread {
			seen = seen && !strings.HasPrefix(v.Path, path)
		}
		if seen {
			kept = append(kept, v)
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return kept
}

// unread returns the beginnings of the paths that libvirt never looks at, besides all numbers of connections: the <bootp> of an IPv6 address,
// the devices of a <forward> that others win over, and leases without a time.
func (n *Network) unread() []string {
	var paths []string
	if f := n.Forward; f != nil && (f.Dev != "" || len(f.Interfaces) > 0) {
		paths = append(paths, "/network/forward/address[")
	}
	for i := range n.IPs {
		ip := &n.IPs[i]
		if ip.DHCP == nil {
			continue
		}
		path := fmt.Sprintf("/network/ip[%d]/dhcp/", i+1)
		if ip.Family == IPv6 {
			paths = append(paths, path+"bootp/")
		}
		for j := range ip.DHCP.Ranges {
			if l := ip.DHCP.Ranges[j].Lease; l != nil && !l.Expiry.Given() {
				paths = append(paths, fmt.Sprintf("%srange[%d]/lease/@unit", path, j+1))
			}
		}
		for j := range ip.DHCP.Hosts {
			if l := ip.DHCP.Hosts[j].Lease; l != nil && !l.Expiry.Given() {
				paths = append(paths, fmt.Sprintf("%shost[%d]/lease/@unit", path, j+1))
			}
		}
	}
	return paths
}
