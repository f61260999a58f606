// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// resolvedPackage is where .ci/unpack puts what the Debian packages systemd-resolved and libsystemd-shared have. To install
// them would change how names are resolved on the machine.
const resolvedPackage = "/var/cache/virtnet/systemd-resolved"

const resolvedName = "org.freedesktop.resolve1"

// resolvedScript makes a /etc with a user for it before it starts it. Its number is that of nobody: a bus would look for another
// one in places that do not answer.
const resolvedScript = `[ -e /run/passwd ] || {
	mkdir -p /run/systemd/resolve /run/dbus && chown 65534:65534 /run/systemd/resolve && ln -s "$1" /run/dbus/system_bus_socket
	for file in passwd group; do cp /etc/$file /run/$file; done
	echo 'systemd-resolve:x:65534:65534::/:/bin/false' >>/run/passwd && mount --bind /run/passwd /etc/passwd
	echo 'systemd-resolve:x:65534:' >>/run/group && mount --bind /run/group /etc/group
}
exec "$2"`

// HasResolved reports whether a test can start a bus and systemd-resolved.
func HasResolved() bool {
	return exists(busProgram) && exists(resolvedPackage+"/lib/systemd/systemd-resolved")
}

// NeedResolved skips a test that cannot start a bus and systemd-resolved.
func NeedResolved(t testing.TB) {
	t.Helper()
	needFile(t, busProgram, "dbus-daemon")
	if !HasResolved() {
		Skip(t, "needs what .ci/unpack takes out of the Debian packages systemd-resolved and libsystemd-shared")
	}
}

// NewResolved starts systemd-resolved for the links in a network namespace, and waits until it can be asked. It ends with the
// test. Without it the test is skipped. It gets no answer from a bus that has another view of the files.
func (n *Namespace) NewResolved(t testing.TB, b *Bus) *Daemon {
	t.Helper()
	NeedResolved(t)
	cmd := exec.Command("nsenter", "--net="+n.path, fmt.Sprintf("--mount=/proc/%d/ns/mnt", b.program.PID(t)), "--",
		"/bin/sh", "-ec", resolvedScript, "sh", strings.TrimPrefix(b.Address, "unix:path="), resolvedPackage+"/lib/systemd/systemd-resolved")
	cmd.Env = append(os.Environ(), "DBUS_SYSTEM_BUS_ADDRESS="+b.Address, "LD_LIBRARY_PATH="+resolvedPackage+"/usr/lib/"+debianArch()+"/systemd")
	d := StartDaemon(t, cmd)
	WaitFor(t, 30*time.Second, "systemd-resolved", func() bool { return b.Runs(t, resolvedName) })
	return d
}

// debianArch is the name of the folder with the libraries of this machine.
func debianArch() string {
	for _, arch := range []string{"x86_64-linux-gnu", "aarch64-linux-gnu"} {
		if _, err := os.Stat(resolvedPackage + "/usr/lib/" + arch); err == nil {
			return arch
		}
	}
	return ""
}
