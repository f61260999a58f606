// SPDX-License-Identifier: Apache-2.0

package host

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Serve starts a server and returns when it answers: dnsmasq --conf-file=NAME.conf. It is an error if a server of that
// name runs already (fs.ErrExist), or if the link is missing (fs.ErrNotExist). If one of that name has died, the new one
// goes on with the leases it left behind.
type Serve struct {
	Server Server
	// Leases are given out already: what an earlier server of the network left behind.
	Leases []Lease `json:",omitempty"`
}

// Unserve ends a server that Serve with the same name started, and removes its files: kill PID. A process that is not
// that server is not touched, and counts as missing. What a server that died left behind is cleared away.
type Unserve Serve

// Check refuses names that are none, and text that holds control characters.
func (o Serve) Check() error {
	s := &o.Server
	if err := firstError(CheckID(s.Name), CheckName(s.Link), checkMTU(s.MTU)); err != nil {
		return err
	}
	for text := range s.texts() {
		if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return invalid("server on %s: control character in %q", s.Link, text)
		}
	}
	for _, subnet := range s.Subnets {
		if err := subnet.check(); err != nil {
			return err
		}
	}
	return nil
}

// texts yields every text that comes from a document.
func (s *Server) texts() func(yield func(string) bool) {
	return func(yield func(string) bool) {
		list := append([]string{s.Domain}, s.Options...)
		if s.DNS != nil {
			for _, f := range s.DNS.Forwarders {
				list = append(list, f.Domain)
			}
			for _, h := range s.DNS.Hosts {
				list = append(list, h.Names...)
			}
			for _, t := range s.DNS.TXT {
				list = append(list, t.Name, t.Value)
			}
			for _, r := range s.DNS.SRV {
				list = append(list, r.Service, r.Protocol, r.Domain, r.Target)
			}
		}
		for _, subnet := range s.Subnets {
			list = append(list, subnet.BootFile, subnet.TFTPRoot)
			for _, h := range subnet.Hosts {
				list = append(list, h.Name, h.DUID)
			}
		}
		for _, text := range list {
			if !yield(text) {
				return
			}
		}
	}
}

func (s *Subnet) check() error {
	if !s.Prefix.IsValid() || s.Prefix.Addr().Is4In6() {
		return invalid("subnet %s", s.Prefix)
	}
	network := s.Prefix.Masked()
	for _, r := range s.Ranges {
		if !network.Contains(r.Start) || !network.Contains(r.End) || r.End.Less(r.Start) {
			return invalid("range %s to %s in %s", r.Start, r.End, network)
		}
	}
	for _, h := range s.Hosts {
		if !h.Addr.IsValid() || h.Addr.Is4() != network.Addr().Is4() {
			return invalid("host %s in %s", h.Addr, network)
		}
		if h.MAC.IsZero() && h.DUID == "" && h.Name == "" {
			return invalid("host %s has nothing to be known by", h.Addr)
		}
	}
	return nil
}

// Inverse ends the server.
func (o Serve) Inverse() Op { return Unserve(o) }

// Scope is the server.
func (o Serve) Scope() Scope { return Scope{Servers: []string{o.Server.Name}} }

// Holds if a server of that name runs with this configuration.
func (o Serve) Holds(f *Facts) bool {
	s := f.Server(o.Server.Name)
	return s != nil && sameJSON(*s, o.Server)
}

func (o Serve) String() string {
	s := "serve " + o.Server.String()
	if n := len(o.Leases); n > 0 {
		s += fmt.Sprintf(", %d leases known", n)
	}
	return s
}

// Check is that of Serve.
func (o Unserve) Check() error { return Serve(o).Check() }

// Inverse starts the server again.
func (o Unserve) Inverse() Op { return Serve(o) }

// Scope is the server.
func (o Unserve) Scope() Scope { return Serve(o).Scope() }

// Holds if no server of that name runs.
func (o Unserve) Holds(f *Facts) bool { return f.Server(o.Server.Name) == nil }

func (o Unserve) String() string { return "end server " + o.Server.Name + " on " + o.Server.Link }

// sameJSON compares what would be stored: an empty list is no list.
func sameJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
