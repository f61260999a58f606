// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/dnsmasq"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
)

// TestDnsmasq compares the configurations that are in effect in networks which were started, and after each update of
// them, and those of libvirt's own tests: the list of the directives, in any order, each in the form that is told of at
// [directives].
func TestDnsmasq(t *testing.T) {
	c := tally{t: t, name: "dnsmasq", kind: "networks"}
	for _, s := range recorded[servedStart](t, "starts.jsonl") {
		if s.Started {
			c.servedStart(&s)
		}
	}
	c.confs()
	c.report()
}

// A servedStart is a network of starts.jsonl with what was written for its server, after the start and after each update.
type servedStart struct {
	ID, Network string
	Started     bool
	Dnsmasq     *served
	Updates     []struct {
		Section, Command, XML string
		Index                 int
		Accept                bool
		Live                  string
		Dnsmasq               *served
	}
}

// servedStart judges how a network is served, at first and after each update that was accepted.
func (c *tally) servedStart(s *servedStart) {
	nets, name, err := startCompat(c.t, s.Network)
	if err != nil {
		c.note(s.ID, fmt.Sprintf("it does not start: %v\n%s", err, s.Network))
		return
	}
	c.sameServer(s.ID, s.Network, s.Dnsmasq, nets)
	for i, u := range s.Updates {
		if !u.Accept {
			continue
		}
		id := fmt.Sprintf("%s, update %d: %s %s %d %s", s.ID, i+1, u.Command, u.Section, u.Index, u.XML)
		request, err := updateOf(u.Section, u.Command, u.Index, u.XML)
		require.NoError(c.t, err, id)
		if _, err := (&updatedNetwork{nets, name}).update(request); err != nil {
			c.note(id, err.Error())
			continue
		}
		c.sameServer(id, u.Live, u.Dnsmasq, nets)
	}
}

// confs judges libvirt's tests of the configuration.
func (c *tally) confs() {
	files := documents(c.t, "networkxml2confdata")
	folder := corpus(c.t, "libvirt-tests/networkxml2confdata")
	for _, name := range sorted(files) {
		base := filepath.Join(folder, strings.TrimSuffix(name, ".xml"))
		conf, err := os.ReadFile(base + ".conf")
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		require.NoError(c.t, err)
		hosts, err := os.ReadFile(base + ".hostsfile") // there is none where it would be empty
		if !errors.Is(err, fs.ErrNotExist) {
			require.NoError(c.t, err)
		}
		nets, _, err := startCompat(c.t, files[name])
		if err != nil {
			c.note(name, fmt.Sprintf("it does not start: %v\n%s", err, files[name]))
			continue
		}
		c.sameServer(name, files[name], &served{Conf: string(conf), HostsFile: string(hosts), namesUnknown: true}, nets)
	}
}

// sameServer compares what libvirt wrote with what is written for the only server of a machine. Neither may be there.
func (c *tally) sameServer(id, document string, want *served, nets *network.Manager) {
	f, err := nets.Backend().Facts(c.t.Context(), host.Scope{All: true})
	require.NoError(c.t, err)
	if want == nil || len(f.Servers) == 0 {
		differ := ""
		if want != nil || len(f.Servers) > 0 {
			differ = fmt.Sprintf("libvirt serves it: %v, we serve it: %v\n%s", want != nil, len(f.Servers) > 0, document)
		}
		c.note(id, differ)
		return
	}
	conf, err := dnsmasq.Config(&f.Servers[0], dnsmasq.Files{Leases: "/run/x/leases"})
	if err != nil {
		c.note(id, fmt.Sprintf("%v\n%s", err, document))
		return
	}
	theirs, ours := want.directives(), (&served{Conf: string(conf), namesUnknown: want.namesUnknown}).directives()
	differ := ""
	if diff := cmp.Diff(theirs, ours); diff != "" {
		differ = fmt.Sprintf("directives (-libvirt +ours):\n%s\n%s\n-- libvirt --\n%s\n-- ours --\n%s", diff, document, want.Conf, conf)
	}
	c.note(id, differ)
}

// A served is what dnsmasq reads: the configuration, and with libvirt the two files that it names.
type served struct {
	Conf, HostsFile, AddnHosts string
	// namesUnknown is set where AddnHosts is not told: then names of addresses are not compared.
	namesUnknown bool
}

// asRun are the directives that say how the program is run, not what it serves: where it notes its number (libvirt has it in
// the background, we in the foreground), where it keeps its leases (libvirt has its helper keep them, and says so in the
// arguments), and that it does not log each packet.
var asRun = []string{"pid-file", "dhcp-leasefile", "log-facility", "quiet-dhcp", "quiet-dhcp6", "quiet-ra"}

// directives lists what is in effect, without repetitions and in alphabetical order. The same has several forms:
//
//   - A line of the file that dhcp-hostsfile names is the same as dhcp-host= with that line. The fields of a dhcp-host are known
//     by their form, so their order says nothing, nor do the zeros and capitals of a MAC.
//   - A line of the file that addn-hosts names gives its address to each of its names, and with expand-hosts to each plain name
//     with the domain behind it. We write host-record=NAME,ADDRESS for each, which is not expanded, and so
//     host-record=NAME.DOMAIN,NAME,ADDRESS for a plain name with a domain. Both are written "name NAME is ADDRESS". A name
//     that is twice in a line is there once.
//   - A lease time is so many seconds: 120m is 2h.
//   - The order of servers without a domain is part of them, because they are asked in order.
//
// All else has to be the same to the letter.
func (s *served) directives() []string {
	var list []string
	servers := 0
	domain := s.domain()
	for line := range strings.Lines(s.Conf) {
		line = strings.TrimSuffix(line, "\n")
		key, value, _ := strings.Cut(line, "=")
		switch {
		case line == "" || line[0] == '#' || slices.Contains(asRun, key):
		case key == "dhcp-hostsfile":
			for host := range strings.Lines(s.HostsFile) {
				list = append(list, dhcpHost(strings.TrimSuffix(host, "\n")))
			}
		case key == "dhcp-host":
			list = append(list, dhcpHost(value))
		case key == "addn-hosts":
			for line := range strings.Lines(s.AddnHosts) {
				fields := strings.Fields(line)
				list = append(list, names(fields[0], fields[1:]...)...)
			}
		case key == "host-record":
			if !s.namesUnknown {
				list = append(list, hostRecord(value, domain)...)
			}
		case key == "dhcp-range":
			fields := strings.Split(value, ",")
			last := len(fields) - 1
			fields[last] = leaseSeconds(fields[last])
			list = append(list, key+"="+strings.Join(fields, ","))
		case key == "server" && !strings.HasPrefix(value, "/"):
			servers++
			list = append(list, fmt.Sprintf("server %d=%s", servers, value))
		default:
			list = append(list, line)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// domain is the one that plain names are expanded with.
func (s *served) domain() string {
	for line := range strings.Lines(s.Conf) {
		if name, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "domain="); ok && strings.Contains(s.Conf, "\nexpand-hosts\n") {
			return name
		}
	}
	return ""
}

func names(addr string, names ...string) []string {
	var list []string
	for _, name := range names {
		list = append(list, "name "+name+" is "+addr)
	}
	return list
}

func hostRecord(value, domain string) []string {
	fields := strings.Split(value, ",")
	all, addr := fields[:len(fields)-1], fields[len(fields)-1]
	if len(all) == 2 && domain != "" && all[0] == all[1]+"."+domain {
		all = all[1:]
	}
	return names(addr, all...)
}

// dhcpHost writes a dhcp-host with its fields in alphabetical order.
func dhcpHost(value string) string {
	fields := strings.Split(value, ",")
	for i, field := range fields {
		if mac, ok := macOf(field); ok {
			fields[i] = mac
		} else if i > 0 {
			fields[i] = leaseSeconds(field)
		}
	}
	slices.Sort(fields)
	return "dhcp-host=" + strings.Join(fields, ",")
}

// macOf is six hexadecimal bytes with colons between them, each with two digits.
func macOf(field string) (string, bool) {
	parts := strings.Split(field, ":")
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 16, 8)
		if err != nil || len(part) > 2 {
			return "", false
		}
		parts[i] = fmt.Sprintf("%02x", n)
	}
	return strings.Join(parts, ":"), len(parts) == 6
}

// leaseSeconds is a lease time in seconds, as dnsmasq counts them: a long of C, cut to 32 bits, times the unit, cut to 32 bits
// again. Other fields are returned as they are.
func leaseSeconds(field string) string {
	units := map[byte]uint32{'s': 1, 'm': 60, 'h': 3600}
	if len(field) < 2 || units[field[len(field)-1]] == 0 || strings.Trim(field[:len(field)-1], "0123456789") != "" {
		return field
	}
	n, err := strconv.ParseInt(field[:len(field)-1], 10, 64)
	if err != nil {
		n = math.MaxInt64
	}
	seconds := uint32(n) * units[field[len(field)-1]]
	if seconds == math.MaxUint32 {
		return "infinite"
	}
	return fmt.Sprintf("%d seconds", max(seconds, 120))
}
