// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
	"github.com/go-virtnet/virtnet/network/serve"
)

// limitedEnv makes the test's program do one thing with the capabilities that it has, and say what came of it.
const limitedEnv = "VIRTNET_TEST_LIMITED"

// capabilityNames are those that anything here takes.
var capabilityNames = map[int]string{
	unix.CAP_KILL: "CAP_KILL", unix.CAP_MKNOD: "CAP_MKNOD", unix.CAP_NET_ADMIN: "CAP_NET_ADMIN", unix.CAP_NET_BIND_SERVICE: "CAP_NET_BIND_SERVICE",
	unix.CAP_NET_RAW: "CAP_NET_RAW", unix.CAP_SETGID: "CAP_SETGID", unix.CAP_SETUID: "CAP_SETUID", unix.CAP_SYS_ADMIN: "CAP_SYS_ADMIN",
}

// A limitedOrder is what such a program has to do.
type limitedOrder struct {
	Feature string
	Config  linux.Config
	// Guest is another network namespace.
	Guest string
}

// A privilege is something that can be done with some capabilities and no others, by a process in its own network namespace.
type privilege struct {
	do func(ctx context.Context, b *linux.Backend, o limitedOrder) error
	// takes is what is said, or a part of it, when one of the capabilities is missing.
	takes map[int]string
}

var privileges = map[string]privilege{
	"a network and its guests": {doNetwork(""), map[int]string{unix.CAP_NET_ADMIN: "packet filter: operation not permitted"}},
	"limits of a network": {doNetwork("<bandwidth><inbound average='1000'/></bandwidth>"), map[int]string{
		unix.CAP_NET_ADMIN: "what the kernel can do about traffic: ", unix.CAP_SYS_ADMIN: "what the kernel can do about traffic: unshare: ",
	}},
	"another namespace":            {doBridge, map[int]string{unix.CAP_NET_ADMIN: "bridge br0: ", unix.CAP_SYS_ADMIN: "enter network namespace "}},
	"a guest in another namespace": {doVeth, map[int]string{unix.CAP_NET_ADMIN: "veth"}},
	"a macvtap device": {doMacvtap, map[int]string{
		unix.CAP_NET_ADMIN: "macvtap mv0", unix.CAP_SYS_ADMIN: "mount sysfs", unix.CAP_MKNOD: "mknod",
	}},
	"dnsmasq": {doServe, map[int]string{
		unix.CAP_NET_ADMIN: "dnsmasq: process is missing required capability NET_ADMIN", unix.CAP_NET_RAW: "dnsmasq: cannot create ICMPv6 socket",
		unix.CAP_NET_BIND_SERVICE: "dnsmasq: failed to bind DHCP server socket", unix.CAP_SETUID: "dnsmasq: setting capabilities failed",
		unix.CAP_SETGID: "dnsmasq: failed to change group-id", unix.CAP_KILL: "pidfd_send_signal",
	}},
	"the engine": {doServe, map[int]string{unix.CAP_NET_RAW: "packet socket", unix.CAP_NET_BIND_SERVICE: "DNS: listen udp 10.9.0.1:53: bind"}},
}

// doNetwork starts a network with some more of a document, plugs a guest into it, opens its tap and ends all that.
func doNetwork(more string) func(context.Context, *linux.Backend, limitedOrder) error {
	return func(ctx context.Context, b *linux.Backend, _ limitedOrder) error {
		nets, err := network.Open(ctx, b, network.Memory())
		if err != nil {
			return err
		}
		n, err := network.Parse(strings.NewReader(`<network><name>n</name><forward mode='nat'/><bridge name='br0' stp='off'/>` + more +
			`<dns enable='no'/><ip address='10.9.0.1' prefix='24'/></network>`))
		if err != nil {
			return err
		}
		if err := errors.Join(nets.Define(ctx, n), nets.Start(ctx, "n")); err != nil {
			return err
		}
		return errors.Join(doTap(ctx, b), nets.Stop(ctx, "n"))
	}
}

// doTap plugs a tap into the bridge, opens it and removes it.
func doTap(ctx context.Context, b *linux.Backend) error {
	tap := host.AddTap{Link: "tap0", MAC: tapMAC}
	for _, op := range []host.Op{tap, host.Plug{Link: "tap0", Bridge: "br0"}, host.SetUp{Link: "tap0"}} {
		if err := b.Do(ctx, op); err != nil {
			return err
		}
	}
	files, err := b.OpenTap(ctx, "tap0", 1)
	if err != nil {
		return err
	}
	return errors.Join(files[0].Close(), b.Do(ctx, tap.Inverse()))
}

// doBridge makes a bridge and removes it.
func doBridge(ctx context.Context, b *linux.Backend, _ limitedOrder) error {
	op := host.AddBridge{Link: "br0", MAC: bridgeMAC}
	if err := b.Do(ctx, op); err != nil {
		return err
	}
	return b.Do(ctx, op.Inverse())
}

func doVeth(ctx context.Context, b *linux.Backend, o limitedOrder) error {
	op := host.AddVeth{Link: "port1", MAC: tapMAC, Peer: "eth0", PeerMAC: bridgeMAC, Namespace: o.Guest}
	if err := b.Do(ctx, op); err != nil {
		return err
	}
	return b.Do(ctx, op.Inverse())
}

func doMacvtap(ctx context.Context, b *linux.Backend, _ limitedOrder) error {
	if err := b.Do(ctx, mv0); err != nil {
		return err
	}
	files, err := b.OpenMacvtap(ctx, mv0, 1)
	if err != nil {
		return err
	}
	return errors.Join(files[0].Close(), b.Do(ctx, mv0.Inverse()))
}

// doServe serves addresses and names, and ends that.
func doServe(ctx context.Context, b *linux.Backend, _ limitedOrder) error {
	op := serve4()
	op.Server.Subnets = append(op.Server.Subnets, host.Subnet{
		Prefix: netip.MustParsePrefix("2001:db8:9::1/64"),
		Ranges: []host.Range{{Start: netip.MustParseAddr("2001:db8:9::10"), End: netip.MustParseAddr("2001:db8:9::20")}},
	})
	if err := b.Do(ctx, op); err != nil {
		return err
	}
	return b.Do(ctx, op.Inverse())
}

// limited does what is ordered, and fails if that fails.
func limited(order string) error {
	var o limitedOrder
	if err := json.Unmarshal([]byte(order), &o); err != nil {
		return err
	}
	if o.Feature == "the engine" {
		o.Config.Engine = &serve.Engine{}
	}
	b, err := linux.Open(o.Config)
	if err == nil {
		err = errors.Join(privileges[o.Feature].do(context.Background(), b, o), b.Close())
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("fs.ErrPermission: %w", err)
	}
	return err
}

// TestPrivileges does each thing with the capabilities that it takes and no others, and then without each of them, which has to be
// said as it is.
func TestPrivileges(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	testenv.NeedProgram(t, "dnsmasq")
	for feature, p := range privileges {
		all := slices.Sorted(maps.Keys(p.takes))
		t.Run(feature, func(t *testing.T) {
			t.Parallel()
			said, err := runLimited(t, feature, all)
			require.NoError(t, err, said)
			if testing.Short() {
				return
			}
			for i, c := range all {
				t.Run("without "+capabilityNames[c], func(t *testing.T) {
					said, err := runLimited(t, feature, slices.Delete(slices.Clone(all), i, i+1))
					require.Error(t, err)
					require.Contains(t, said, "fs.ErrPermission: ")
					require.Contains(t, said, p.takes[c])
				})
			}
		})
	}
}

// runLimited does one thing in a process with these capabilities, in a namespace with a bridge and a card.
func runLimited(t *testing.T, feature string, capabilities []int) (said string, err error) {
	ns, guest := testenv.New(t), testenv.New(t)
	inherited, err := os.Open(guest.Path())
	require.NoError(t, err)
	defer inherited.Close()
	const guestPath = "/proc/self/fd/3" // a process with more capabilities does not show its own
	switch feature {
	case "dnsmasq", "the engine":
		ns.SetSysctl(t, "net/ipv6/conf/default/accept_dad", "0")
		ns.Output(t, "ip", "link", "add", "br0", "type", "bridge", "forward_delay", "0")
		ns.Output(t, "ip", "addr", "add", "10.9.0.1/24", "dev", "br0")
		ns.Output(t, "ip", "addr", "add", "2001:db8:9::1/64", "dev", "br0", "nodad")
		ns.Output(t, "ip", "link", "set", "br0", "up")
	case "a macvtap device":
		testenv.Connect(t, ns, guest, "eth0", "eth0")
	}
	folder := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(folder), 0o711))
	o := limitedOrder{Feature: feature, Guest: guestPath, Config: linux.Config{RunDir: filepath.Join(folder, "run")}}
	if feature == "another namespace" {
		o.Config.Namespace = guestPath
	}
	order, err := json.Marshal(o)
	require.NoError(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), limitedEnv+"="+string(order))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.ExtraFiles = []*os.File{inherited}
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	ended := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread has given up what it does not get back
		ended <- runBounded(cmd, ns.Path(), capabilities)
	}()
	err = <-ended
	return out.String(), err
}

// runBounded runs a program of root's in a network namespace with some capabilities and no others.
func runBounded(cmd *exec.Cmd, ns string, capabilities []int) error {
	file, err := os.Open(ns)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
		return err
	}
	for c := range unix.CAP_LAST_CAP + 1 {
		if slices.Contains(capabilities, c) {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
			return err
		}
	}
	return cmd.Run()
}
