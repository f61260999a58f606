// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/dnsmasq"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
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
