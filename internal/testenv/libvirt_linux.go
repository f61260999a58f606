// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// libvirtPrograms are what a libvirt needs for its networks, with the Debian packages that have them.
var libvirtPrograms = []struct{ name, from string }{
	{"libvirtd", "libvirt-daemon"}, {"virsh", "libvirt-clients"}, {"iptables", "iptables"}, {"dnsmasq", "dnsmasq-base"}, {"ip", "iproute2"},
}

// NeedLibvirt skips a test that cannot start a libvirt.
func NeedLibvirt(t testing.TB) {
	t.Helper()
	for _, program := range libvirtPrograms {
		if _, err := exec.LookPath(program.name); err != nil {
			Skip(t, "needs the program %s (of the package %s)", program.name, program.from)
		}
	}
}

// A Libvirt is a daemon in the namespaces of this process, with its files in memory.
type Libvirt struct{ t testing.TB }

// StartLibvirt hides the machine's own files and starts the daemon with its network driver alone. This process has to be the first one of a
// process namespace, and in mount and network namespaces, that end with the test: the daemon signals all processes it
// sees when a network does not start.
func StartLibvirt(t testing.TB) *Libvirt {
	t.Helper()
	if os.Getpid() != 1 {
		t.Fatal("libvirt may only be started in a process namespace of its own")
	}
	lv := &Libvirt{t}
	drivers, err := filepath.Glob("/usr/lib/*/libvirt/connection-driver/libvirt_driver_network.so")
	if err != nil || len(drivers) != 1 {
		t.Fatalf("network driver of libvirt: %v %v", drivers, err)
	}
	driver, err := os.ReadFile(drivers[0])
	lv.must(err)
	for _, folder := range []string{"/run", "/var/lib", "/var/cache", "/var/log", "/etc/libvirt", filepath.Dir(drivers[0])} {
		lv.must(syscall.Mount("tmpfs", folder, "tmpfs", 0, ""))
	}
	lv.must(os.WriteFile(drivers[0], driver, 0o755))
	for _, folder := range []string{"/run/libvirt", "/var/log/libvirt", "/var/lib/libvirt", "/var/cache/libvirt"} {
		lv.must(os.MkdirAll(folder, 0o755))
	}
	lv.Write("/etc/libvirt/libvirtd.conf", "unix_sock_group = \"root\"\nauth_unix_rw = \"none\"\n")
	if backend := os.Getenv("VIRTNET_TEST_FIREWALL"); backend != "" {
		lv.Write("/etc/libvirt/network.conf", "firewall_backend = "+strconv.Quote(backend)+"\n")
	}
	lv.Run("ip", "link", "set", "lo", "up")
	lv.Start()
	return lv
}

func (lv *Libvirt) must(err error) {
	lv.t.Helper()
	if err != nil {
		lv.t.Fatal(err)
	}
}

// Write writes a file, and returns its path.
func (lv *Libvirt) Write(path, text string) string {
	lv.t.Helper()
	lv.must(os.WriteFile(path, []byte(text), 0o644))
	return path
}

// Run runs a program beside the daemon, and returns what it prints.
func (lv *Libvirt) Run(name string, args ...string) string {
	lv.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		lv.t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Virsh asks the daemon, and returns the answer.
func (lv *Libvirt) Virsh(args ...string) string {
	lv.t.Helper()
	return lv.Run("virsh", append([]string{"-q", "-c", "network:///system"}, args...)...)
}

// Try is Virsh for what may fail.
func (lv *Libvirt) Try(args ...string) error {
	return exec.Command("virsh", append([]string{"-c", "network:///system"}, args...)...).Run()
}

// Version is that of the daemon.
func (lv *Libvirt) Version() string {
	lv.t.Helper()
	return strings.TrimSpace(lv.Run("libvirtd", "--version"))
}

// Start starts the daemon, which has been stopped.
func (lv *Libvirt) Start() {
	lv.t.Helper()
	out := lv.Run("libvirtd", "-d")
	WaitFor(lv.t, time.Minute, "libvirtd answers "+out, func() bool { return lv.Try("net-list") == nil })
}

// Stop ends the daemon as its service is stopped. Networks and guests go on.
func (lv *Libvirt) Stop() {
	lv.t.Helper()
	text, err := os.ReadFile("/run/libvirtd.pid")
	lv.must(err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	lv.must(err)
	lv.must(syscall.Kill(pid, syscall.SIGTERM))
	WaitFor(lv.t, 30*time.Second, "libvirtd has ended", func() bool {
		// It is our child since its parent has ended: we are the first process here.
		ended, err := syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		lv.must(err)
		return ended == pid
	})
}
