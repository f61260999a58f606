// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/servetest"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
	"github.com/go-virtnet/virtnet/network/serve"
)

// TestServe starts every network that libvirt serves twice, once with dnsmasq and once in this process, and asks both the
// same: what they answer has to be the same, but for what [differences] lists.
func TestServe(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.NeedProgram(t, "dnsmasq")
	servers := corpusServers(t)
	ids := slices.Sorted(maps.Keys(servers))
	if testing.Short() {
		const some = 8
		ids = slices.DeleteFunc(ids, func(id string) bool { return slices.Index(slices.Sorted(maps.Keys(servers)), id)%some != 0 })
	}
	c := &equality{found: map[difference][]string{}}
	t.Run("networks", func(t *testing.T) {
		for _, id := range ids {
			t.Run(id, func(t *testing.T) {
				t.Parallel()
				c.compare(t, id, servers[id])
			})
		}
	})
	c.judge(t, !testing.Short())
	fmt.Printf("serve: %d networks, %d questions, %d agree\n", len(ids), c.questions, c.agree)
}

// corpusServers are the servers of the networks of the corpus, at first and after the updates that libvirt has accepted.
func corpusServers(t *testing.T) map[string]host.Server {
	t.Helper()
	all := map[string]host.Server{}
	add := func(id string, nets *network.Manager) {
		f, err := nets.Backend().Facts(t.Context(), host.Scope{All: true})
		require.NoError(t, err)
		for _, s := range f.Servers {
			all[id] = s
		}
	}
	for _, s := range recorded[servedStart](t, "starts.jsonl") {
		if !s.Started || s.Dnsmasq == nil {
			continue
		}
		nets, name, err := startCompat(t, s.Network)
		require.NoError(t, err, s.ID)
		add(s.ID, nets)
		for i, u := range s.Updates {
			if !u.Accept {
				continue
			}
			request, err := updateOf(u.Section, u.Command, u.Index, u.XML)
			require.NoError(t, err)
			_, err = (&updatedNetwork{nets, name}).update(request)
			require.NoError(t, err, s.ID)
			if i == len(s.Updates)-1 {
				add(s.ID+" updated", nets)
			}
		}
	}
	files := documents(t, "networkxml2confdata")
	folder := corpus(t, "libvirt-tests/networkxml2confdata")
	for name, text := range files {
		if _, err := os.Stat(filepath.Join(folder, strings.TrimSuffix(name, ".xml")+".conf")); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		nets, _, err := startCompat(t, text)
		require.NoError(t, err, name)
		add(name, nets)
	}
	return all
}

// An equality counts what two servers answer alike.
type equality struct {
	mu               sync.Mutex
	questions, agree int
	// found are the differences with the questions that show them.
	found map[difference][]string
}

// compare starts a server twice and asks both.
func (c *equality) compare(t *testing.T, id string, s host.Server) {
	s = askable(s)
	list := questions(&s)
	var answers [2][]servetest.Answer
	for i, engine := range []host.Engine{nil, &serve.Engine{}} {
		st := newStage(t, s, engine)
		for _, q := range list {
			answers[i] = append(answers[i], q.ask(st))
		}
		st.end(t)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, q := range list {
		c.questions++
		parts := partsOf(answers[0][i], answers[1][i])
		if len(parts) == 0 {
			c.agree++
		}
		for _, part := range parts {
			d := difference{q.kind, part}
			c.found[d] = append(c.found[d], fmt.Sprintf("%s: %s\ndnsmasq: %s\nhere:    %s", id, q.words, shown(answers[0][i], part), shown(answers[1][i], part)))
		}
	}
}

// partsOf are the parts in which answers differ. If only one server answers that is the difference, and what is said of the code
// of an answer follows from the code.
func partsOf(dnsmasq, here servetest.Answer) []string {
	switch parts := dnsmasq.Parts(here); {
	case len(dnsmasq) == 0 && len(here) > 0:
		return []string{"answered here only"}
	case len(here) == 0 && len(dnsmasq) > 0:
		return []string{"answered by dnsmasq only"}
	case slices.Contains(parts, "kind"):
		return []string{"kind"}
	case slices.Contains(parts, "code"):
		return []string{"code"}
	default:
		return parts
	}
}

// shown is a part of an answer, or all of it where only one server answers.
func shown(a servetest.Answer, part string) string {
	if strings.HasPrefix(part, "answered") {
		return strings.ReplaceAll(a.String(), "\n", "; ")
	}
	return a.Part(part)
}

// listed is what the list says of a difference: of its kind, or of a longer one that begins with the same words.
func listed(d difference) (entry difference, ok bool) {
	for entry := range differences {
		if entry.part == d.part && strings.HasPrefix(d.kind, entry.kind) {
			return entry, true
		}
	}
	return difference{}, false
}

// judge compares what was found with the list. Where everything was asked the list has nothing else.
func (c *equality) judge(t *testing.T, all bool) {
	occurs := map[difference]bool{}
	for _, d := range slices.SortedFunc(maps.Keys(c.found), func(a, b difference) int { return strings.Compare(a.String(), b.String()) }) {
		if entry, ok := listed(d); ok {
			occurs[entry] = true
		} else {
			t.Errorf("%s, in %d answers, such as\n%s", d, len(c.found[d]), strings.Join(c.found[d][:min(3, len(c.found[d]))], "\n"))
		}
	}
	for d, why := range differences {
		if all && !occurs[d] {
			t.Errorf("%s is listed (%s) and does not occur", d, why)
		}
	}
}

// askable is a server that can be asked without waiting: dnsmasq need not try whether anybody has an address.
func askable(s host.Server) host.Server {
	s.Options = append(slices.Clone(s.Options), "no-ping")
	s.Subnets = slices.Clone(s.Subnets)
	for i := range s.Subnets {
		if sub := &s.Subnets[i]; sub.TFTPRoot != "" {
			sub.TFTPRoot = "/usr" // one that is there
		}
	}
	return s
}

// A stage is where a server runs and is asked.
type stage struct {
	*servetest.Station
	t       *testing.T
	server  host.Server
	ns      *testenv.Namespace
	backend *linux.Backend
}

// newStage starts a server in a namespace of its own, with a guest, and with all servers of names that it could ask.
func newStage(t *testing.T, s host.Server, engine host.Engine) *stage {
	t.Helper()
	ns, guest := testenv.New(t), testenv.New(t)
	for _, n := range []*testenv.Namespace{ns, guest} {
		n.Run(t, func() {
			require.NoError(t, os.WriteFile("/proc/sys/net/ipv6/conf/default/accept_dad", []byte("0"), 0))
		})
	}
	guest.Run(t, func() {
		require.NoError(t, os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0))
	})
	ns.Output(t, "ip", "link", "add", s.Link, "address", "52:54:00:fe:00:01", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
	for _, subnet := range s.Subnets {
		ns.Output(t, "ip", "addr", "add", subnet.Prefix.String(), "dev", s.Link)
	}
	ns.Output(t, "ip", "link", "set", s.Link, "up")
	testenv.Connect(t, ns, guest, "guest", "eth0")
	ns.Output(t, "ip", "link", "set", "guest", "master", s.Link)
	servetest.NewUpstream(t, ns, upstreams(&s)...)
	folder := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(folder), 0o711)) // so that a server can read its files
	b, err := linux.Open(linux.Config{Namespace: ns.Path(), RunDir: filepath.Join(folder, "run"), Engine: engine})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	require.NoError(t, b.Do(t.Context(), host.Serve{Server: s}))
	return &stage{t: t, Station: servetest.NewStation(t, guest, "eth0"), server: s, ns: ns, backend: b}
}

func (st *stage) end(t *testing.T) {
	t.Helper()
	require.NoError(t, st.backend.Do(t.Context(), host.Serve{Server: st.server}.Inverse()))
}

// upstreams are the servers of names that a server could ask: those of the document, and those of the machine.
func upstreams(s *host.Server) (list []netip.Addr) {
	add := func(addr netip.Addr) {
		own := slices.ContainsFunc(s.Subnets, func(s host.Subnet) bool { return s.Prefix.Addr() == addr })
		if addr.IsValid() && !own && !slices.Contains(list, addr) {
			list = append(list, addr)
		}
	}
	if s.DNS != nil {
		for _, f := range s.DNS.Forwarders {
			add(f.Addr)
		}
	}
	text, _ := os.ReadFile("/etc/resolv.conf")
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 2 && fields[0] == "nameserver" {
			addr, _ := netip.ParseAddr(fields[1])
			add(addr)
		}
	}
	return list
}
