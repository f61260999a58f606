// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/internal/dhcpclient"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
)

// A book holds what is known to be there, to be compared with what is found when a program was killed.
type book struct {
	*testing.T
	world
	host, container *testenv.Namespace
	before          string
	guests          map[string]standing
	networks        map[string]standing
	// leases are what guests were given that stay.
	leases map[string]netip.Addr
	// notes are those of the last program, by subject.
	notes map[string][]note
	// interrupted counts what was being done.
	interrupted map[string]int
}

// A standing is how a guest or a network was found.
type standing struct {
	Network, Port, Link string
	// Index is that of its device: another device of that name has another one.
	Index int
	// Version is what its document tells.
	Version int
	// Runs says that a network does, and Server is the process that serves it.
	Runs   bool
	Server int
}

// A link is what the host says of a device.
type link struct {
	Name   string   `json:"ifname"`
	Index  int      `json:"ifindex"`
	Master string   `json:"master"`
	Alias  string   `json:"ifalias"`
	Flags  []string `json:"flags"`
}

func (b *book) links() map[string]link {
	b.Helper()
	var list []link
	require.NoError(b, json.Unmarshal([]byte(b.host.Output(b, "ip", "-j", "link", "show")), &list))
	all := map[string]link{}
	for _, l := range list {
		all[l.Name] = l
	}
	return all
}

// build starts the networks, with a guest on each that is served, which stays.
func (b *book) build() {
	b.Helper()
	backend, nets, err := b.open(b.Context())
	require.NoError(b, err)
	defer backend.Close()
	require.NoError(b, b.defineAll(b.Context(), nets))
	b.leases, b.guests, b.networks = map[string]netip.Addr{}, map[string]standing{}, map[string]standing{}
	if b.interrupted == nil {
		b.interrupted = map[string]int{}
	}
	for i := range b.Networks {
		if b.serves(i) {
			b.leases[nameOf(i)] = b.stay(nets, i)
		}
	}
	b.notes = nil
	b.guests, b.networks = b.find(nets, backend)
}

// stay attaches a guest that nobody works on, with an address from the server.
func (b *book) stay(nets *network.Manager, i int) netip.Addr {
	b.Helper()
	inside := fmt.Sprint("stay", i)
	document, err := domainiface.Parse(strings.NewReader(fmt.Sprintf("<interface type='network'><source network='%s'/><guest dev='%s'/></interface>", nameOf(i), inside)))
	require.NoError(b, err)
	_, err = domainiface.Attach(b.Context(), nets, domainiface.Guest{Name: inside, Namespace: b.Container}, document)
	require.NoError(b, err)
	b.container.Output(b, "ip", "link", "set", inside, "up")
	var got *dhcpclient.Grant
	b.container.Run(b, func() {
		ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
		defer cancel()
		got, err = dhcpclient.Lease(ctx, inside, dhcpclient.Options{Retransmit: 200 * time.Millisecond})
	})
	require.NoError(b, err)
	b.container.Output(b, "ip", "addr", "add", got.Addr.String(), "dev", inside)
	return got.Addr.Addr()
}

// settle opens the host behind a program that was killed, and compares what is there with the book.
func (b *book) settle(when string) {
	b.Helper()
	backend, nets, err := b.open(b.Context())
	require.NoError(b, err, when)
	defer backend.Close()
	require.NoError(b, check(b.Context(), nets, ""), when)
	guests, networks := b.find(nets, backend)
	for name := range b.subjects() {
		b.compareGuest(when+": "+name, name, guests)
	}
	for i := range b.Networks {
		b.compareNetwork(when, i, networks)
	}
	b.noOrphans(when, guests, networks)
	b.guests, b.networks = guests, networks
}

// stillThere looks before anything is opened: guests that nobody worked on are plugged in, and reach the host; servers run.
func (b *book) stillThere(when string) {
	b.Helper()
	links := b.links()
	for name, was := range b.guests {
		if len(b.notes[name]) > 0 || !b.networks[was.Network].Runs || b.turned(was.Network) {
			continue
		}
		l := links[was.Link]
		require.Equal(b, was.Index, l.Index, "%s: the device of %s", when, name)
		require.NotEmpty(b, l.Master, "%s: %s is plugged in", when, name)
		require.Contains(b, l.Flags, "UP", "%s: %s", when, name)
		if i, ok := strings.CutPrefix(name, "stay"); ok {
			require.True(b, b.reaches("10.50."+i+".1"), "%s: %s reaches the host", when, name)
		}
	}
	for name, was := range b.networks {
		if was.Server != 0 && !b.InProcess && !b.restarts(b.numberOf(name)) && !b.toldAnew(name) {
			require.NoError(b, syscall.Kill(was.Server, 0), "%s: the server of %s", when, name)
		}
	}
}

// reaches reports whether a guest that stays gets an answer from the host: that nobody listens there.
func (b *book) reaches(address string) bool {
	var err error
	b.container.Run(b, func() {
		var conn net.Conn
		if conn, err = net.DialTimeout("tcp", address+":9", 20*time.Second); err == nil {
			conn.Close()
		}
	})
	return errors.Is(err, syscall.ECONNREFUSED)
}

func (b *book) numberOf(name string) int {
	i, err := strconv.Atoi(strings.TrimPrefix(name, "net"))
	require.NoError(b, err)
	return i
}

// turned reports whether somebody stopped or started a network.
func (b *book) turned(name string) bool {
	return b.restarts(b.numberOf(name)) && len(b.notes[name]) > 0
}

// toldAnew reports whether the server of a network was told something for which it has to be started anew.
func (b *book) toldAnew(name string) bool {
	version := b.networks[name].Version / 2
	return slices.ContainsFunc(b.notes[name], func(n note) bool { return n.Version/2 != version })
}

// find looks at all that stands.
func (b *book) find(nets *network.Manager, backend *linux.Backend) (guests, networks map[string]standing) {
	b.Helper()
	links := b.links()
	guests, networks = map[string]standing{}, map[string]standing{}
	for i := range b.Networks {
		name := nameOf(i)
		s, err := nets.Lookup(b.Context(), name)
		require.NoError(b, err)
		n := standing{Runs: s.Active(), Version: versionOf(s.Definition)}
		if s.Active() {
			n.Index = links[s.Live.Bridge.Name].Index
			require.Equal(b, n.Version, versionOf(s.Live), "%s and its definition", name)
			if b.serves(i) {
				n.Server = b.server(s, backend)
			}
		}
		networks[name] = n
		for p, err := range nets.Ports(b.Context(), name) {
			require.NoError(b, err)
			text, err := p.Port.Format()
			require.NoError(b, err)
			require.Empty(b, p.Broken)
			found := standing{Network: name, Port: string(text), Link: p.Link, Index: links[p.Link].Index}
			if p.Port.Bandwidth != nil {
				found.Version = int(p.Port.Bandwidth.Inbound.Average.Uint())
			}
			require.NotContains(b, guests, p.Port.Owner.Name, "it has two ports")
			guests[p.Port.Owner.Name] = found
		}
	}
	return guests, networks
}

func versionOf(n *network.Network) int {
	if n.DNS == nil || len(n.DNS.TXTs) == 0 {
		return 0
	}
	half, _ := strconv.Atoi(string(n.DNS.TXTs[0].Value))
	version := 2 * half
	if at := n.DNS.Hosts[0].IP.Addr.As4()[3]; int(at) != 201+version%50 {
		version++
	}
	return version
}

// server is the process that serves a network, which has the lease that it has given out.
func (b *book) server(s *network.Status, backend *linux.Backend) int {
	b.Helper()
	id := s.UUID.String()
	if want, ok := b.leases[s.Name]; ok {
		leases, err := backend.Leases(b.Context(), id)
		require.NoError(b, err)
		require.True(b, slices.ContainsFunc(leases, func(l host.Lease) bool { return l.Addr == want }), "%s: the lease of %s is lost: %v", s.Name, want, leases)
	}
	var process struct{ PID int }
	data, err := os.ReadFile(filepath.Join(b.runDir(), id, "process.json"))
	if err == nil {
		err = json.Unmarshal(data, &process)
	}
	require.NoError(b, err)
	return process.PID
}

// compareGuest compares a guest with what it was, and with what was done with it since.
func (b *book) compareGuest(when, name string, found map[string]standing) {
	b.Helper()
	is, there := found[name]
	was, wasThere := b.guests[name]
	done, now := b.pending(name)
	for _, n := range done {
		wasThere = n.Do != detach
		index := was.Index
		if n.Do == attach {
			index = is.Index // which nobody knew yet
		}
		was = standing{Network: n.Network, Port: n.Port, Link: n.Link, Index: index, Version: n.Version}
	}
	switch {
	case there == wasThere && (!there || is == was):
	case now == nil:
		require.Failf(b, "a guest that nobody worked on", "%s: it was %v, %+v\nand is %v, %+v", when, wasThere, was, there, is)
	case now.Do == detach:
		require.False(b, there, "%s: detached in part: %+v", when, is)
	case !there:
		require.Failf(b, "a guest is gone", "%s, %s: it was %+v", when, now.Do, was)
	case now.Do == change:
		require.Equal(b, was.Link, is.Link, when)
		require.Equal(b, was.Index, is.Index, when)
		fallthrough
	case now.Do == attach:
		require.Equal(b, now.Version, is.Version, "%s: neither what it was nor what it was to be: %+v", when, is)
	}
	if there {
		require.NotZero(b, is.Index, "%s: its device is missing: %+v", when, is)
	}
}

// compareNetwork compares a network with what it was, and with what was done with it since.
func (b *book) compareNetwork(when string, i int, found map[string]standing) {
	b.Helper()
	name := nameOf(i)
	is, was := found[name], b.networks[name]
	done, now := b.pending(name)
	anew := b.toldAnew(name)
	for _, n := range done {
		switch n.Do {
		case tell:
			was.Version = n.Version
		default:
			was.Runs, anew = n.Do == start, true
		}
	}
	either := now != nil && now.Do != tell
	require.True(b, is.Runs == was.Runs || either, "%s: %s runs: %v", when, name, is.Runs)
	require.True(b, is.Version == was.Version || now != nil && now.Version == is.Version, "%s: %s has version %d, not %d", when, name, is.Version, was.Version)
	if is.Runs && was.Runs && !either && !anew {
		require.Equal(b, was.Index, is.Index, "%s: the bridge of %s", when, name)
		if !b.InProcess {
			require.Equal(b, was.Server, is.Server, "%s: the server of %s", when, name)
		}
	}
}

// noOrphans wants no device, chain, file or process that belongs to nobody.
func (b *book) noOrphans(when string, guests, networks map[string]standing) {
	b.Helper()
	own := map[string]bool{"lo": true}
	servers, running := 0, 0
	for name, n := range networks {
		if n.Runs {
			running++
			own["sb"+strings.TrimPrefix(name, "net")] = true
			if n.Server != 0 && !b.InProcess {
				servers++
			}
		}
	}
	for _, g := range guests {
		own[g.Link] = true
	}
	for name, l := range b.links() {
		require.True(b, own[name] || own[l.Alias], "%s: device %s belongs to nobody", when, name)
	}
	b.reap()
	testenv.WaitFor(b, 20*time.Second, when+": as many programs as servers: "+strings.Join(b.host.Programs(b), ", "), func() bool { return len(b.host.Programs(b)) == servers })
	chains := strings.Count(b.host.Output(b, "nft", "list", "chains"), "chain from-")
	require.Equal(b, running, chains, "%s: networks with rules", when)
	temporary, err := filepath.Glob(filepath.Join(b.Folder, "state", "*", ".new-*"))
	require.NoError(b, err)
	require.Empty(b, temporary, when)
	folders, err := os.ReadDir(b.runDir())
	require.NoError(b, err)
	if b.InProcess {
		return // its servers have just ended with it
	}
	var left []string
	for _, f := range folders {
		left = append(left, f.Name())
	}
	require.Len(b, left, servers, "%s: folders of servers: %v", when, left)
}

// reap waits for servers that have ended after the program that had started them: this process is the first one.
func (b *book) reap() {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		end := strings.LastIndexByte(string(data), ')')
		fields := strings.Fields(string(data[end+1:]))
		if pid, err := strconv.Atoi(strings.Split(file, "/")[2]); err == nil && strings.HasSuffix(string(data[:end]), "(dnsmasq") && fields[0] == "Z" && fields[1] == "1" {
			_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		}
	}
}

// tearDown takes away everything: the host is as it was.
func (b *book) tearDown() {
	b.Helper()
	backend, nets, err := b.open(b.Context())
	require.NoError(b, err)
	defer backend.Close()
	require.NoError(b, b.removeAll(b.Context(), nets))
	b.host.Unchanged(b, b.before, "all taken away,")
	left, err := b.left(b.Context())
	require.NoError(b, err)
	require.Empty(b, left)
	b.reap()
	require.Empty(b, b.host.Programs(b))
}
