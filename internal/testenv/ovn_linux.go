// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// NeedOVN skips a test unless OVN is on the machine.
func NeedOVN(t testing.TB) {
	t.Helper()
	NeedOpenVSwitch(t)
	for name, pkg := range map[string]string{"ovn-controller": "ovn-host", "ovn-northd": "ovn-central", "ovn-nbctl": "ovn-common"} {
		if _, err := exec.LookPath(name); err != nil {
			Skip(t, "needs the program %s, of the package %s", name, pkg)
		}
	}
}

// An OVN is what governs several Open vSwitches: two databases, and the daemon between them.
type OVN struct {
	home         *OpenVSwitch
	north, south string
}

// NewOVN starts an OVN without logical switches. It ends with the test.
func NewOVN(t testing.TB, n *Namespace) *OVN {
	t.Helper()
	NeedOVN(t)
	o := &OVN{home: NewOpenVSwitch(t, n)}
	o.north, o.south = o.database(t, "ovn-nb"), o.database(t, "ovn-sb")
	o.home.StartBeside(t, "ovn-northd", "--ovnnb-db=unix:"+o.north, "--ovnsb-db=unix:"+o.south, "--unixctl="+o.home.file("northd.ctl"))
	return o
}

// database starts a database, and returns its socket.
func (o *OVN) database(t testing.TB, name string) (socket string) {
	t.Helper()
	socket = o.home.file(name + ".sock")
	o.home.run(t, "ovsdb-tool", "create", o.home.file(name+".db"), filepath.Join("/usr/share/ovn", name+".ovsschema"))
	o.home.StartBeside(t, "ovsdb-server", o.home.file(name+".db"), "--remote=punix:"+socket, "--unixctl="+o.home.file(name+".ctl"))
	WaitFor(t, 20*time.Second, name, func() bool { return answers(socket) })
	return socket
}

// Nbctl runs ovn-nbctl, and returns what it prints.
func (o *OVN) Nbctl(t testing.TB, args ...string) string {
	t.Helper()
	return strings.TrimSpace(o.home.run(t, "ovn-nbctl", append([]string{"--db=unix:" + o.north, "--timeout=30"}, args...)...))
}

// Sbctl runs ovn-sbctl, and returns what it prints.
func (o *OVN) Sbctl(t testing.TB, args ...string) string {
	t.Helper()
	return strings.TrimSpace(o.home.run(t, "ovn-sbctl", append([]string{"--db=unix:" + o.south, "--timeout=30"}, args...)...))
}

// Join makes an Open vSwitch, which has to run, a chassis that others reach by Geneve at addr. Its bridge is br-int.
func (o *OVN) Join(t testing.TB, s *OpenVSwitch, name, addr string) {
	t.Helper()
	s.Vsctl(t, "set", "Open_vSwitch", ".", "external-ids:system-id="+name, "external-ids:ovn-remote=unix:"+o.south, "external-ids:ovn-encap-type=geneve",
		"external-ids:ovn-encap-ip="+addr, "external-ids:ovn-bridge-datapath-type="+s.Datapath)
	s.StartBeside(t, "ovn-controller", "unix:"+s.Socket)
	WaitFor(t, 30*time.Second, "the bridge of "+name, func() bool {
		return strings.Contains(s.Vsctl(t, "list-br"), "br-int")
	})
}
