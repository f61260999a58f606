// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-virtnet/virtnet/internal/dbus"
)

// A Bus is a message bus of D-Bus that belongs to one test, with nothing on it.
type Bus struct {
	// Address is where it is, in the words of D-Bus.
	Address string
	program *Boxed
}

const busProgram = "/usr/bin/dbus-daemon"

// busConfig lets everybody do everything but for the rules that a test adds.
const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>%s</listen>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    %s
  </policy>
</busconfig>
`

// NewBus starts a message bus, with rules of policy in the words of its configuration. It ends with the test. Without the
// Debian package dbus-daemon the test is skipped.
func NewBus(t testing.TB, rules string) *Bus {
	t.Helper()
	needFile(t, busProgram, "dbus-daemon")
	folder, err := os.MkdirTemp("", "bus") // the path of a socket has to be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	b := &Bus{Address: "unix:path=" + folder + "/socket"}
	config := filepath.Join(folder, "config")
	if err := os.WriteFile(config, fmt.Appendf(nil, busConfig, b.Address, rules), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	b.program = New(t).Boxed(t, nil, busProgram, "--config-file="+config, "--nofork", "--nopidfile")
	WaitFor(t, 10*time.Second, "message bus", func() bool {
		conn, err := dbus.Open(t.Context(), b.Address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return b
}

// Runs reports whether a program has that name on the bus.
func (b *Bus) Runs(t testing.TB, name string) bool {
	t.Helper()
	conn, err := dbus.Open(t.Context(), b.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	runs, err := conn.Runs(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return runs
}

// A Boxed is a program that runs inside a network namespace, with processes and a /run of its own.
type Boxed struct {
	*Daemon
	out bytes.Buffer
}

// Boxed starts a program that ends with the test, however that ends, and with it whatever it has started. What it prints
// is shown if the test fails. Its environment has these variables besides.
func (n *Namespace) Boxed(t testing.TB, environment []string, program string, args ...string) *Boxed {
	t.Helper()
	inside := append([]string{
		"--net=" + n.path, "--", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
		"sh", "-c", `mount -t tmpfs tmpfs /run && exec "$@"`, program, program,
	}, args...)
	b := &Boxed{}
	cmd := exec.Command("nsenter", inside...)
	cmd.Env = append(os.Environ(), environment...)
	cmd.Stdout, cmd.Stderr = &b.out, &b.out
	b.Daemon = StartDaemon(t, cmd)
	t.Cleanup(func() {
		b.Stop()
		if t.Failed() {
			t.Logf("%s said:\n%s", program, b.out.String())
		}
	})
	return b
}

// PID is the number of the program, and 0 if it has ended.
func (b *Boxed) PID(t testing.TB) int {
	t.Helper()
	pid := b.cmd.Process.Pid // what holds it, whose child has made the box
	for range 2 {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
		if err != nil {
			t.Fatal(err)
		}
		pid, _ = strconv.Atoi(strings.TrimSpace(string(children)))
	}
	return pid
}
