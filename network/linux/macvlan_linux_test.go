// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
)

// eth0 is a device in that namespace, in that mode.
func eth0(t *testing.T, b *linux.Backend, namespace, mode string) host.AddMacvlan {
	t.Helper()
	o := host.AddMacvlan{Link: "eth0", Lower: "eth0", Namespace: namespace, Mode: mode, MAC: host.MAC{0x52, 0x54, 0, 0, 0, 5}, Owner: "guest 5"}
	if mode == host.Passthru {
		o.Was = macOf(t, b, o.Lower)
	}
	return o
}

func TestAddMacvlan(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"private", "vepa", "bridge", "passthru"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			b, ns, _ := withCard(t)
			guest := testenv.New(t)
			before, guestBefore := ns.Snapshot(t), guest.Snapshot(t)
			op := eth0(t, b, guest.Path(), mode)
			op.MTU = 1400
			do(t, b, op)
			got := guest.Output(t, "ip", "-d", "link", "show", "eth0")
			for _, want := range []string{"eth0@if", "mtu 1400", "state DOWN", op.MAC.String(), "macvlan mode " + mode, "alias guest 5"} {
				require.Contains(t, got, want)
			}
			if mode != host.Passthru {
				ns.Unchanged(t, before, "nothing is seen of it on the host, which")
			}
			refuse(t, b, ns, fs.ErrExist, op)
			do(t, b, op.Inverse())
			ns.Unchanged(t, before, "in the end")
			guest.Unchanged(t, guestBefore, "in the end")
		})
	}
}

// TestMacvlanIsItsGuests has the guest make of its device what it likes, which is found nevertheless.
func TestMacvlanIsItsGuests(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"bridge", "passthru"} {
		b, ns, _ := withCard(t)
		guest := testenv.New(t)
		before := ns.Snapshot(t)
		op := eth0(t, b, guest.Path(), mode)
		do(t, b, op)
		for _, command := range []string{"name lan0", "address 52:54:00:00:00:77", "mtu 1300", "up"} {
			guest.Output(t, "ip", append([]string{"link", "set", "dev", deviceIn(t, guest)}, strings.Fields(command)...)...)
		}
		require.True(t, op.Holds(facts(t, b, op.Scope())))
		do(t, b, op.Inverse())
		require.False(t, op.Holds(facts(t, b, op.Scope())))
		ns.Unchanged(t, before, "in the end")
	}
}

// deviceIn is the name of the only device besides the loopback device in a namespace.
func deviceIn(t *testing.T, ns *testenv.Namespace) string {
	t.Helper()
	_, name, ok := strings.Cut(ns.Output(t, "ip", "-o", "link", "show", "type", "macvlan"), ": ")
	require.True(t, ok)
	name, _, _ = strings.Cut(name, "@")
	return name
}

// TestMacvlanHalfway takes a device back that a program has left without its name, or without its owner.
func TestMacvlanHalfway(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"bridge", "passthru"} {
		b, ns, _ := withCard(t)
		guest := testenv.New(t)
		before, guestBefore := ns.Snapshot(t), guest.Snapshot(t)
		op := eth0(t, b, guest.Path(), mode)
		for _, name := range []string{op.Born(), op.Link} {
			args := []string{"link", "add", "link", "eth0", "name", op.Born(), "netns", guest.Path(), "address", op.MAC.String(), "type", "macvlan", "mode", mode}
			ns.Output(t, "ip", args...)
			if name != op.Born() {
				guest.Output(t, "ip", "link", "set", op.Born(), "name", name)
			}
			require.False(t, op.Holds(facts(t, b, op.Scope())))
			require.False(t, op.Inverse().Holds(facts(t, b, op.Scope())))
			do(t, b, op.Inverse())
			ns.Unchanged(t, before, "in the end")
			guest.Unchanged(t, guestBefore, "in the end")
		}
	}
}

// TestMacvlanPromiscuity is the promiscuity of the card below, by what the guest is trusted with.
func TestMacvlanPromiscuity(t *testing.T) {
	t.Parallel()
	for _, noPromisc := range []bool{false, true} {
		b, ns, _ := withCard(t)
		guest := testenv.New(t)
		op := eth0(t, b, guest.Path(), host.Passthru)
		op.NoPromisc = noPromisc
		do(t, b, op, host.SetUp{Link: "eth0"})
		guest.Output(t, "ip", "link", "set", "eth0", "up")
		want := "promiscuity 1"
		if noPromisc {
			want = "promiscuity 0"
		}
		require.Contains(t, ns.Output(t, "ip", "-d", "link", "show", "eth0"), want)
	}
}

// TestMacvlanOfGuestThatEnds gives the card its address back with the guest's last process, and then to the next guest.
func TestMacvlanOfGuestThatEnds(t *testing.T) {
	t.Parallel()
	b, ns, _ := withCard(t)
	before := ns.Snapshot(t)
	for range 3 {
		cmd := exec.CommandContext(t.Context(), "unshare", "--net", "sleep", "600")
		require.NoError(t, cmd.Start())
		home, err := os.Readlink("/proc/self/ns/net")
		require.NoError(t, err)
		namespace := filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid), "ns/net")
		testenv.WaitFor(t, 20*time.Second, "a namespace", func() bool {
			there, err := os.Readlink(namespace)
			return err == nil && there != home
		})
		op := eth0(t, b, namespace, host.Passthru)
		do(t, b, op)
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
		require.ErrorIs(t, b.Do(t.Context(), op.Inverse()), fs.ErrNotExist)
		require.False(t, op.Holds(facts(t, b, op.Scope())))
		ns.Unchanged(t, before, "when the guest has ended")
	}
}

// TestMacvlanRefusals wants the reasons that the kernel does not tell.
func TestMacvlanRefusals(t *testing.T) {
	t.Parallel()
	b, ns, _ := withCard(t)
	guest := testenv.New(t)
	op := eth0(t, b, guest.Path(), host.Passthru)
	nowhere := op
	nowhere.Namespace = "/nonexistent/namespace"
	refuse(t, b, ns, fs.ErrNotExist, nowhere)
	refuse(t, b, ns, fs.ErrNotExist, nowhere.Inverse())
	own := op
	own.Namespace = ns.Path()
	require.ErrorContains(t, refuse(t, b, ns, fs.ErrInvalid, own), "is the namespace of eth0 itself")
	none := filepath.Join(t.TempDir(), "unmounted")
	require.NoError(t, os.WriteFile(none, nil, 0o600))
	unmounted := op
	unmounted.Namespace = none
	refuse(t, b, ns, fs.ErrInvalid, unmounted)
	refuse(t, b, ns, fs.ErrNotExist, unmounted.Inverse())
	require.False(t, unmounted.Holds(facts(t, b, unmounted.Scope())))

	do(t, b, op)
	require.ErrorContains(t, refuse(t, b, ns, fs.ErrInvalid, mv0), "another network namespace may be on eth0, and passthru does not share")
	do(t, b, op.Inverse(), mv0)
	require.ErrorContains(t, refuse(t, b, ns, fs.ErrInvalid, op), "mv0 is on eth0 in mode bridge, and passthru does not share")
}
