// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/dnsmasq"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
)

// playLibvirt leaves in a folder and in a namespace what libvirt does when it runs these networks, with a server of the first on
// br0. A daemon is played by the test itself.
func playLibvirt(t *testing.T, ns *testenv.Namespace, root string, l host.Libvirt, leases []host.Lease) host.LibvirtServer {
	t.Helper()
	testenv.NeedProgram(t, "dnsmasq")
	testenv.NeedProgram(t, "nft")
	run, state, etc := filepath.Join(root, "run/libvirt/network"), filepath.Join(root, "var/lib/libvirt/dnsmasq"), filepath.Join(root, "etc/libvirt/qemu/networks")
	write := func(text string, path ...string) string {
		file := filepath.Join(path...)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
		return file
	}
	for _, n := range l.Networks {
		if n.Status != "" {
			write(n.Status, run, n.Name+".xml")
		}
		if n.Definition != "" {
			definition := write(n.Definition, etc, n.Name+".xml")
			if n.Autostart {
				require.NoError(t, os.MkdirAll(filepath.Join(etc, "autostart"), 0o755))
				require.NoError(t, os.Symlink(definition, filepath.Join(etc, "autostart", n.Name+".xml")))
			}
		}
		for _, p := range n.Ports {
			write(p.Text, run, n.Name, "ports", p.ID+".xml")
		}
	}
	for _, r := range l.Rules {
		ns.Output(t, "nft", "add", "table", r.Family, r.Table)
		ns.Output(t, "nft", "add", "chain", r.Family, r.Table, r.Chain)
		if strings.Contains(r.Text, "masquerade") {
			ns.Output(t, "nft", "add chain "+r.Family+" "+r.Table+" postrouting { type nat hook postrouting priority srcnat; }")
			ns.Output(t, "nft", "add", "rule", r.Family, r.Table, "postrouting", "jump", r.Chain)
		}
		ns.Output(t, "nft", "add rule "+r.Family+" "+r.Table+" "+r.Chain+" "+r.Text)
	}
	if l.Daemon != 0 {
		lock, err := os.OpenFile(write("4711", run, "driver.pid"), os.O_RDWR, 0)
		require.NoError(t, err)
		t.Cleanup(func() { _ = lock.Close() })
		require.NoError(t, unix.FcntlFlock(lock.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}))
	}
	name := l.Networks[0].Name
	text, err := dnsmasq.FormatLibvirtLeases(name, leases)
	require.NoError(t, err)
	write(string(text), state, "br0.status")
	conf := write(fmt.Sprintf("pid-file=%s\nuser=root\nexcept-interface=lo\nbind-dynamic\ninterface=br0\n", filepath.Join(run, name+".pid")), state, name+".conf")
	s := host.LibvirtServer{Network: name, Link: "br0", Command: []string{"dnsmasq", "--conf-file=" + conf, "--leasefile-ro"}}
	ns.Output(t, s.Command[0], s.Command[1:]...)
	return s
}

// theirs is what a played libvirt has: one network with a server on br0, and nothing else.
func theirs(t *testing.T) (*linux.Backend, host.LibvirtNetwork, host.LibvirtServer) {
	t.Helper()
	b, ns := open(t)
	for _, op := range []host.Op{
		host.AddBridge{Link: "br0", MAC: host.MAC{0x52, 0x54, 0, 0, 0, 1}},
		host.AddAddr{Link: "br0", Prefix: netip.MustParsePrefix("192.168.7.1/24")}, host.SetUp{Link: "br0"},
	} {
		require.NoError(t, b.Do(t.Context(), op))
	}
	n := host.LibvirtNetwork{
		Name: "lab", Status: "<networkstatus/>", Definition: "<network/>", Autostart: true,
		Ports: []host.LibvirtPort{{ID: "1", Text: "<networkport/>"}, {ID: "2", Text: "<networkport/>"}},
	}
	return b, n, playLibvirt(t, ns, b.LibvirtFolder(), host.Libvirt{Networks: []host.LibvirtNetwork{n}}, nil)
}

func libvirtFacts(t *testing.T, b *linux.Backend) string {
	t.Helper()
	f, err := b.Facts(t.Context(), host.Scope{All: true, Libvirt: true})
	require.NoError(t, err)
	return f.String()
}

// TestTakeServerFails fails each step of the start of our server, and has another server in its place: libvirt's runs again.
func TestTakeServerFails(t *testing.T) {
	b, _, was := theirs(t)
	before := libvirtFacts(t, b)
	take := host.TakeServer{Was: was, Server: host.Server{Name: "n1", Link: "br0", Subnets: []host.Subnet{{
		Prefix: netip.MustParsePrefix("192.168.7.1/24"),
		Ranges: []host.Range{{Start: netip.MustParseAddr("192.168.7.100"), End: netip.MustParseAddr("192.168.7.199")}},
	}}}}
	no := errors.New("no")
	for _, step := range linux.ServeSteps {
		b.AtServe(func(at string) error {
			if at == step {
				return no
			}
			return nil
		})
		require.ErrorIs(t, b.Do(t.Context(), take), no, step)
		require.Equal(t, before, libvirtFacts(t, b), step)
	}
	b.AtServe(nil)
	refused := take
	refused.Server.Options = []string{"there-is-no-such-option"}
	require.ErrorContains(t, b.Do(t.Context(), refused), "server of libvirt's network lab: the configuration is refused")
	require.Equal(t, before, libvirtFacts(t, b))
	require.NoError(t, b.Do(t.Context(), take))
	require.NoError(t, b.Do(t.Context(), take.Inverse()))
	require.Equal(t, before, libvirtFacts(t, b))
}

// TestDisownHalfDone puts back what a program left that was killed while it took the files of a network away, after each of
// them.
func TestDisownHalfDone(t *testing.T) {
	b, n, _ := theirs(t)
	before := libvirtFacts(t, b)
	own := host.Own{Network: n}
	gone := []string{"etc/libvirt/qemu/networks/autostart/lab.xml", "etc/libvirt/qemu/networks/lab.xml", "run/libvirt/network/lab/ports/1.xml"}
	for i := range gone {
		for _, file := range gone[:i+1] {
			require.NoError(t, os.Remove(filepath.Join(b.LibvirtFolder(), file)))
		}
		f, err := b.Facts(t.Context(), own.Scope())
		require.NoError(t, err)
		require.False(t, own.Holds(f), gone[i])
		require.NoError(t, b.Do(t.Context(), own), gone[i])
		require.Equal(t, before, libvirtFacts(t, b), gone[i])
	}
	// What libvirt has written anew is left.
	status := filepath.Join(b.LibvirtFolder(), "run/libvirt/network/lab.xml")
	require.NoError(t, os.WriteFile(status, []byte("<networkstatus />"), 0o600))
	require.NoError(t, os.Remove(filepath.Join(b.LibvirtFolder(), gone[1])))
	require.NoError(t, b.Do(t.Context(), own))
	text, err := os.ReadFile(status)
	require.NoError(t, err)
	require.Equal(t, "<networkstatus />", string(text))
	require.Equal(t, before, libvirtFacts(t, b))
}
