// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// switchSchema describes the database of Open vSwitch.
const switchSchema = "/usr/share/openvswitch/vswitch.ovsschema"

// NeedOpenVSwitch skips a test unless Open vSwitch is on the machine.
func NeedOpenVSwitch(t testing.TB) {
	t.Helper()
	for _, name := range []string{"ovsdb-server", "ovsdb-tool", "ovs-vswitchd", "ovs-vsctl"} {
		if _, err := exec.LookPath(name); err != nil {
			Skip(t, "needs the program %s, of the package openvswitch-switch", name)
		}
	}
}

// An OpenVSwitch is the two daemons of Open vSwitch, that work in a namespace.
type OpenVSwitch struct {
	// Socket is where its database listens.
	Socket string
	// Datapath is what forwards: "system", the kernel's, or "netdev", which every kernel can do. Empty is the kernel's where
	// it has one, and is filled in when the first daemon is started.
	Datapath string

	namespace *Namespace
	folder    string
	env       []string
	database  *Daemon
	forwarder *Daemon
}

// NewOpenVSwitch prepares an Open vSwitch without bridges. Start starts it, and skips the test if it is not on the machine. It
// ends with the test.
func NewOpenVSwitch(t testing.TB, n *Namespace) *OpenVSwitch {
	t.Helper()
	folder, err := os.MkdirTemp("", "ovs") // the names of sockets are short
	if err != nil {
		t.Fatal(err)
	}
	s := &OpenVSwitch{Socket: filepath.Join(folder, "db.sock"), namespace: n, folder: folder}
	t.Cleanup(func() {
		s.StopForwarder()
		s.StopDatabase()
		_ = os.RemoveAll(folder)
	})
	for _, name := range []string{"OVS_RUNDIR", "OVS_DBDIR", "OVS_LOGDIR", "OVS_SYSCONFDIR", "OVN_RUNDIR", "OVN_DBDIR", "OVN_LOGDIR"} {
		s.env = append(s.env, name+"="+folder)
	}
	return s
}

// kernelDatapath reports whether the kernel can forward for Open vSwitch.
func kernelDatapath() bool {
	_ = exec.Command("modprobe", "--quiet", "openvswitch").Run() // which says nothing that the folder does not
	_, err := os.Stat("/sys/module/openvswitch")
	return err == nil
}

func (s *OpenVSwitch) file(name string) string { return filepath.Join(s.folder, name) }

func (s *OpenVSwitch) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := s.namespace.Command(ctx, name, args...)
	cmd.Env = append(os.Environ(), s.env...)
	return cmd
}

func (s *OpenVSwitch) run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := s.command(context.Background(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Start starts what does not run of both daemons.
func (s *OpenVSwitch) Start(t testing.TB) {
	t.Helper()
	s.StartDatabase(t)
	s.Vsctl(t, "--no-wait", "init")
	s.StartForwarder(t)
}

// StartDatabase starts ovsdb-server, if it does not run, and waits until it answers.
func (s *OpenVSwitch) StartDatabase(t testing.TB) {
	t.Helper()
	if s.database != nil {
		return
	}
	if s.Datapath == "" {
		s.Datapath = "netdev"
		if kernelDatapath() {
			s.Datapath = "system"
		}
	}
	if _, err := os.Stat(s.file("conf.db")); err != nil {
		NeedOpenVSwitch(t)
		s.run(t, "ovsdb-tool", "create", s.file("conf.db"), switchSchema)
	}
	s.database = s.daemon(t, "ovsdb-server", s.file("conf.db"), "--remote=punix:"+s.Socket, "--unixctl="+s.file("database.ctl"))
	WaitFor(t, 20*time.Second, "ovsdb-server", func() bool { return answers(s.Socket) })
}

// StartForwarder starts ovs-vswitchd, if it does not run. It is waited for by whoever asks it for something.
func (s *OpenVSwitch) StartForwarder(t testing.TB) {
	t.Helper()
	if s.forwarder != nil {
		return
	}
	args := []string{"unix:" + s.Socket, "--unixctl=" + s.file("forwarder.ctl")}
	if s.Datapath == "netdev" {
		args = append(args, "--disable-system")
	}
	// It counts the processors ten seconds after the machine was switched on, and forwards nothing before that.
	WaitFor(t, 20*time.Second, "a machine that runs for ten seconds", func() bool {
		var now unix.Timespec
		return unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) == nil && now.Sec > 10
	})
	s.forwarder = s.daemon(t, "ovs-vswitchd", args...)
}

// StopDatabase kills ovsdb-server.
func (s *OpenVSwitch) StopDatabase() { s.database.Stop(); s.database = nil }

// StopForwarder kills ovs-vswitchd.
func (s *OpenVSwitch) StopForwarder() { s.forwarder.Stop(); s.forwarder = nil }

func (s *OpenVSwitch) daemon(t testing.TB, name string, args ...string) *Daemon {
	t.Helper()
	return StartDaemon(t, s.command(context.Background(), name, append(args, "-vconsole:off", "-vsyslog:off")...))
}

// StartBeside starts another daemon of the family, which ends with the test.
func (s *OpenVSwitch) StartBeside(t testing.TB, name string, args ...string) {
	t.Helper()
	t.Cleanup(s.daemon(t, name, args...).Stop)
}

// Vsctl runs ovs-vsctl, and returns what it prints.
func (s *OpenVSwitch) Vsctl(t testing.TB, args ...string) string {
	t.Helper()
	return strings.TrimSpace(s.run(t, "ovs-vsctl", append([]string{"--db=unix:" + s.Socket, "--timeout=20"}, args...)...))
}

// AddBridges makes bridges, whose hardware addresses and sizes do not follow those of their ports.
func (s *OpenVSwitch) AddBridges(t testing.TB, names ...string) {
	t.Helper()
	for i, name := range names {
		s.Vsctl(t, "add-br", name, "--", "set", "bridge", name, "datapath_type="+s.Datapath, "other-config:hwaddr=02:00:00:00:0f:0"+string(rune('0'+i)),
			"--", "set", "interface", name, "mtu_request=1500")
	}
}

// answers reports whether anybody listens at a Unix socket.
func answers(path string) bool {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// A Daemon is a program that runs until it is stopped, and no longer than the process of the test, also if that is killed.
type Daemon struct {
	cmd   *exec.Cmd
	leash io.Closer
	ended chan struct{}
}

// leash runs a program until the standard input ends, which is when whoever writes there has ended.
const leash = `"$@" </dev/null & program=$!; read line; kill -9 $program; wait $program`

// StartDaemon starts a program that does not read.
func StartDaemon(t testing.TB, cmd *exec.Cmd) *Daemon {
	t.Helper()
	cmd.Args = append([]string{"sh", "-c", leash, "sh"}, cmd.Args...)
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	cmd.Path = sh
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	d := &Daemon{cmd: cmd, leash: in, ended: make(chan struct{})}
	go func() { _ = cmd.Wait(); close(d.ended) }()
	return d
}

// Stop kills the program, if it still runs, and waits for its end.
func (d *Daemon) Stop() {
	if d == nil {
		return
	}
	_ = d.leash.Close()
	<-d.ended
}
