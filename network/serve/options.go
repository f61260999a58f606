// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
)

// directives are what lines of dnsmasq's configuration say, as far as a [host.Server] has no word for it. The zero directives
// say nothing.
type directives struct {
	dhcp dhcpDirectives
	dns  dnsDirectives
}

// A keyword is what a line begins with.
type keyword struct {
	// read does what the line says. It is nil if there is nothing to be done, because it is always so or says how a program
	// is to be run.
	read func(r *optionReader, value string) error
	// bare is a keyword that is complete without a value.
	bare bool
}

// An unheard is why a line has no effect.
type unheard string

func (u unheard) Error() string { return string(u) }

// An optionReader reads lines one by one.
type optionReader struct {
	server *host.Server
	said   *directives
	// tftp is the folder of files, which is served only if the line enable-tftp stands somewhere.
	tftp     bool
	tftpRoot string
}

// readOptions returns a server as its options want it, and what they say besides. What has no effect is told. A malformed line is
// an error: dnsmasq does not start with one either.
func readOptions(s host.Server) (host.Server, directives, []*host.OptionWarning, error) {
	if len(s.Options) == 0 && !s.Verbatim {
		return s, directives{}, nil, nil
	}
	var said directives
	server := writable(s)
	r := &optionReader{server: &server, said: &said}
	if s.Verbatim {
		if err := r.verbatim(); err != nil {
			return s, said, nil, err
		}
	}
	var warnings []*host.OptionWarning
	var errs []error
	for i, line := range s.Options {
		err := r.line(line)
		var reason unheard
		switch {
		case errors.As(err, &reason):
			warnings = append(warnings, &host.OptionWarning{Index: i, Line: line, Reason: string(reason)})
		case err != nil:
			errs = append(errs, fmt.Errorf("option %d %q: %w", i+1, line, err))
		}
	}
	r.finish()
	return server, said, warnings, errors.Join(errs...)
}

// writable is a copy of which everything that options change is its own.
func writable(s host.Server) host.Server {
	s.Subnets = slices.Clone(s.Subnets)
	for i := range s.Subnets {
		s.Subnets[i].Ranges, s.Subnets[i].Hosts = slices.Clone(s.Subnets[i].Ranges), slices.Clone(s.Subnets[i].Hosts)
	}
	if s.DNS != nil {
		dns := *s.DNS
		dns.Forwarders, dns.LocalZones = slices.Clone(dns.Forwarders), slices.Clone(dns.LocalZones)
		dns.Hosts, dns.TXT, dns.SRV = slices.Clone(dns.Hosts), slices.Clone(dns.TXT), slices.Clone(dns.SRV)
		s.DNS = &dns
	}
	return s
}

// verbatim reads texts of the document in which commas and quotes mean what they mean in options.
func (r *optionReader) verbatim() error {
	var errs []error
	if dns := r.server.DNS; dns != nil {
		for _, txt := range dns.TXT {
			errs = append(errs, r.line("txt-record="+txt.Name+","+txt.Value))
		}
		dns.TXT = nil
	}
	for i := range r.server.Subnets {
		s := &r.server.Subnets[i]
		if s.BootFile == "" {
			continue
		}
		line := "dhcp-boot=" + s.BootFile
		if s.BootServer.IsValid() {
			line += ",," + s.BootServer.String()
		}
		errs = append(errs, r.line(line))
		s.BootFile = ""
	}
	return errors.Join(errs...)
}

// line reads one line.
func (r *optionReader) line(line string) error {
	name, value, given := strings.Cut(bare(line), "=")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	if name == "" {
		return nil
	}
	k, ok := keywords[name]
	switch {
	case !ok && unheardOf[name] != "":
		return unheard(unheardOf[name])
	case !ok:
		return unheard("it is not known here")
	case k.read == nil:
		return nil
	case value == "" && !k.bare:
		return malformed("it needs a value")
	case given && value == "" && k.bare:
		return k.read(r, "")
	}
	return k.read(r, value)
}

// finish does what depends on several lines.
func (r *optionReader) finish() {
	if !r.tftp || r.tftpRoot == "" {
		return
	}
	for i := range r.server.Subnets {
		if s := &r.server.Subnets[i]; s.TFTPRoot == "" {
			s.TFTPRoot = r.tftpRoot
		}
	}
}

// malformed is an error about a value.
func malformed(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), fs.ErrInvalid)
}

// subnetOf is the subnet that an address is in, nil for none.
func (r *optionReader) subnetOf(addr netip.Addr) *host.Subnet {
	for i := range r.server.Subnets {
		if s := &r.server.Subnets[i]; s.Prefix.Contains(addr) {
			return s
		}
	}
	return nil
}

// ReadOptions tells which options of a server have no meaning here; see [host.OptionReader].
func (e *Engine) ReadOptions(s host.Server) ([]*host.OptionWarning, error) {
	_, _, warnings, err := readOptions(s)
	return warnings, err
}

var _ host.OptionReader = (*Engine)(nil)
