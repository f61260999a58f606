// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const firewalldName = "org.fedoraproject.FirewallD1"

const firewalldProgram = "/usr/sbin/firewalld"

// HasFirewalld reports whether a test can start a bus and firewalld.
func HasFirewalld() bool { return exists(firewalldProgram) && exists(busProgram) }

// NeedFirewalld skips a test that cannot start a bus and firewalld.
func NeedFirewalld(t testing.TB) {
	t.Helper()
	needFile(t, busProgram, "dbus-daemon")
	needFile(t, firewalldProgram, "firewalld")
}

// A Firewalld is a firewalld that filters what is in a network namespace.
type Firewalld struct {
	*Boxed
	ns     *Namespace
	bus    *Bus
	folder string
}

// NewFirewalld starts firewalld with the zones that it comes with and those that are given, by their names and as XML. It
// ends with the test. Without the Debian package firewalld the test is skipped.
func (n *Namespace) NewFirewalld(t testing.TB, b *Bus, zones map[string]string) *Firewalld {
	t.Helper()
	NeedFirewalld(t)
	f := &Firewalld{ns: n, bus: b, folder: t.TempDir()}
	for _, folder := range []string{"zones", "policies"} {
		if err := os.Mkdir(filepath.Join(f.folder, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	f.write(t, "firewalld.conf", "DefaultZone=public\nFirewallBackend=nftables\nLogDenied=off\n")
	for name, zone := range zones {
		f.SetZone(t, name, zone)
	}
	f.Start(t)
	return f
}

// SetZone writes a zone down, as an element <zone>. firewalld has it from its next start or [Firewalld.Reload] on.
func (f *Firewalld) SetZone(t testing.TB, name, xml string) {
	t.Helper()
	f.write(t, filepath.Join("zones", name+".xml"), xml)
}

// SetPolicy writes a policy between zones down, as SetZone does a zone.
func (f *Firewalld) SetPolicy(t testing.TB, name, xml string) {
	t.Helper()
	f.write(t, filepath.Join("policies", name+".xml"), xml)
}

func (f *Firewalld) write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(f.folder, file), []byte(text+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Start starts it again after Stop, and waits until it can be asked.
func (f *Firewalld) Start(t testing.TB) {
	t.Helper()
	f.Boxed = f.ns.Boxed(t, []string{"DBUS_SYSTEM_BUS_ADDRESS=" + f.bus.Address},
		firewalldProgram, "--nofork", "--nopid", "--system-config", f.folder, "--log-target", "console")
	// It has its name before it has its rules.
	WaitFor(t, 30*time.Second, "firewalld", func() bool {
		if !f.bus.Runs(t, firewalldName) {
			return false
		}
		_, err := f.run(t, "--state")
		return err == nil
	})
}

// Reload has it read all that is written down anew.
func (f *Firewalld) Reload(t testing.TB) {
	t.Helper()
	f.Command(t, "--reload")
}

// Command runs firewall-cmd, and returns what it prints.
func (f *Firewalld) Command(t testing.TB, args ...string) string {
	t.Helper()
	out, err := f.run(t, args...)
	if err != nil {
		t.Fatalf("firewall-cmd %s: %v\n%s", fmt.Sprint(args), err, out)
	}
	return out
}

func (f *Firewalld) run(t testing.TB, args ...string) (string, error) {
	t.Helper()
	cmd := f.ns.Command(t.Context(), "firewall-cmd", args...)
	cmd.Env = append(os.Environ(), "DBUS_SYSTEM_BUS_ADDRESS="+f.bus.Address)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
