// SPDX-License-Identifier: Apache-2.0

package dnsmasq

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
)

// Files says what the configuration has to name besides what the server asks for.
type Files struct {
	// Leases is the absolute path of the lease file. Empty is dnsmasq's own, and only fit for tests of the syntax.
	Leases string
	// Hosts and Names are the absolute paths of the files that [Config] leaves the static hosts and the names of addresses
	// to: see [Reread]. Empty has them in the configuration.
	Hosts, Names string
	// KeepUser lets dnsmasq go on as the user that starts it, where no other user exists: in a user namespace that
	// maps none but root.
	KeepUser bool
}

// Config is the configuration that does what the server asks for. An error wraps fs.ErrInvalid and names the value
// that cannot be written.
func Config(s *host.Server, files Files) ([]byte, error) {
	c := &config{server: s, files: files}
	for _, part := range []func() error{
		c.process, c.domain, c.dns, c.dhcp, c.boot, c.options,
	} {
		if err := part(); err != nil {
			return nil, fmt.Errorf("server on %s: %w", s.Link, err)
		}
	}
	return []byte(c.text.String()), nil
}

// A config is a configuration that is being written.
type config struct {
	server *host.Server
	files  Files
	text   strings.Builder
}

// Reread is what the program reads again whenever it gets SIGHUP, without losing anything else that it knows: the files of static
// hosts and of names.
func Reread(s *host.Server) (hosts, names []byte, err error) {
	h, n := &config{server: s}, &config{server: s}
	for _, subnet := range s.Subnets {
		err = errors.Join(err, h.staticHosts(&subnet, ""))
	}
	if s.DNS != nil {
		err = errors.Join(err, n.names(n.nameLine))
	}
	if err != nil {
		return nil, nil, fmt.Errorf("server on %s: %w", s.Link, err)
	}
	return []byte(h.text.String()), []byte(n.text.String()), nil
}

// file writes a line with the path of a file.
func (c *config) file(keyword, path string) error {
	if err := checkText(path); err != nil {
		return err
	}
	return c.line("%s=%s", keyword, quote(path))
}

// line adds a line. Its fields have been checked, but together they may be too long.
func (c *config) line(format string, args ...any) error {
	line := fmt.Sprintf(format, args...)
	if err := checkText(line); err != nil {
		return err
	}
	if len(line) > maxLine {
		return invalid("%q... has %d bytes, a line of dnsmasq at most %d", line[:40], len(line), maxLine)
	}
	c.text.WriteString(line + "\n")
	return nil
}

// lines adds several that hold nothing from a document.
func (c *config) lines(lines ...string) error {
	for _, line := range lines {
		if err := c.line("%s", line); err != nil {
			return err
		}
	}
	return nil
}

// process is what every server has: where it listens, what it keeps open and what it tells.
//
// With bind-dynamic the server follows its link's addresses: one that is added later, or is still being checked for
// duplicates, is served when it is ready, where bind-interfaces would wait or miss it. Neither takes the wildcard
// address, so servers of other links and of the machine itself can run beside.
func (c *config) process() error {
	if err := checkLink(c.server.Link); err != nil {
		return err
	}
	err := c.lines("strict-order", "pid-file=", "log-facility=-", "quiet-dhcp", "quiet-dhcp6", "quiet-ra",
		"except-interface=lo", "bind-dynamic", "interface="+c.server.Link)
	if err != nil {
		return err
	}
	if c.files.KeepUser {
		if err := c.lines("user=root", "group="); err != nil {
			return err
		}
	}
	if c.files.Leases == "" {
		return nil
	}
	return c.file("dhcp-leasefile", c.files.Leases)
}

// checkLink refuses names of devices that mean several to dnsmasq.
func checkLink(name string) error {
	if err := host.CheckName(name); err != nil {
		return err
	}
	if strings.ContainsAny(name, ",*#") {
		return invalid("dnsmasq cannot listen on a device of the name %q", name)
	}
	return nil
}

func (c *config) domain() error {
	if c.server.Domain == "" {
		if c.server.LocalDomain {
			return invalid("a local domain without a name")
		}
		return nil
	}
	domain, err := c.domainName(c.server.Domain)
	if err != nil {
		return fmt.Errorf("domain: %w", err)
	}
	if err := c.lines("domain="+domain, "expand-hosts"); err != nil {
		return err
	}
	if !c.server.LocalDomain {
		return nil
	}
	return c.lines("local=/" + domain + "/")
}

// options are lines of the user's own: what they mean is not looked at, only that each is one line.
func (c *config) options() error {
	for _, option := range c.server.Options {
		if err := c.line("%s", option); err != nil {
			return fmt.Errorf("option: %w", err)
		}
	}
	return nil
}
