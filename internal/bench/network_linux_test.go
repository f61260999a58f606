// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/nft"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
	"github.com/go-virtnet/virtnet/network/serve"
)

// others is how many networks are there besides, in each benchmark that depends on it.
var others = []int{0, 10, 50, 200}

// A bed is a host with its networks, and the folder of what runs.
type bed struct {
	nets    *network.Manager
	backend *linux.Backend
	run     string
	config  linux.Config
	store   network.Store
}

func newBed(b testing.TB) *bed { b.Helper(); return newBedIn(b, "") }

// newBedIn is a bed in a network namespace; empty is that of the process.
func newBedIn(b testing.TB, namespace string) *bed {
	b.Helper()
	return newBedAs(b, linux.Config{Namespace: namespace})
}

// newBedAs is a bed with a backend of that kind, and folders of its own.
func newBedAs(b testing.TB, config linux.Config) *bed {
	b.Helper()
	testenv.NeedRoot(b)
	// All that does not outlive the machine is in memory, in folders that a server can look into when it is not root any more.
	run, err := os.MkdirTemp("/run", "bench")
	require.NoError(b, err)
	require.NoError(b, os.Chmod(run, 0o755))
	config.RunDir = filepath.Join(run, "servers")
	d := &bed{run: filepath.Join(run, "state"), config: config}
	d.store = network.Dirs(filepath.Join(b.TempDir(), "state"), d.run)
	d.nets, d.backend, err = d.open(b.Context())
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, d.backend.Close()) })
	return d
}

// open is what a program that uses the library does first.
func (d *bed) open(ctx context.Context) (*network.Manager, *linux.Backend, error) {
	backend, err := linux.Open(d.config)
	if err != nil {
		return nil, nil, err
	}
	nets, err := network.Open(ctx, backend, d.store)
	return nets, backend, err
}

// natNetwork is the i-th of networks that do not overlap, with DHCP or without.
func natNetwork(b testing.TB, i int, dhcp bool) *network.Network {
	b.Helper()
	dns, inside := "<dns enable='no'/>", ""
	if dhcp {
		dns, inside = "", fmt.Sprintf("<dhcp><range start='10.%d.%d.2' end='10.%[1]d.%[2]d.254'/></dhcp>", 128+i/256, i%256)
	}
	return parsed(b, fmt.Sprintf(`<network><name>net%d</name><forward mode='nat'/><bridge name='vn%[1]d'/>%s
<ip address='10.%d.%d.1' prefix='24'>%s</ip></network>`, i, dns, 128+i/256, i%256, inside))
}

func parsed(b testing.TB, text string) *network.Network {
	b.Helper()
	n, err := network.Parse(strings.NewReader(text))
	require.NoError(b, err)
	return n
}

// define defines a network and returns its plan.
func (d *bed) define(b testing.TB, n *network.Network) host.Plan {
	b.Helper()
	require.NoError(b, d.nets.Define(b.Context(), n))
	plan, err := d.nets.Plan(b.Context(), n.Name)
	require.NoError(b, err)
	return plan
}

// fill starts networks without DHCP beside the one that is measured, and stops them in the end.
func (d *bed) fill(b testing.TB, count int) {
	b.Helper()
	for i := 1; i <= count; i++ {
		n := natNetwork(b, i, false)
		d.define(b, n)
		require.NoError(b, d.nets.Start(b.Context(), n.Name))
	}
	b.Cleanup(func() {
		inCrowd(b, count, func(i int) error { return d.nets.Stop(context.Background(), fmt.Sprintf("net%d", i+1)) })
	})
}

// start starts a network until the benchmark ends.
func (d *bed) start(b testing.TB, n *network.Network) {
	b.Helper()
	d.define(b, n)
	require.NoError(b, d.nets.Start(b.Context(), n.Name))
	b.Cleanup(func() { require.NoError(b, d.nets.Stop(context.Background(), n.Name)) })
}

// own is the library's way to start and stop a network.
func (d *bed) own(b *testing.B, name string) work {
	return work{
		func() error { return d.nets.Start(b.Context(), name) },
		func() error { return d.nets.Stop(b.Context(), name) },
	}
}

// floorOf is the least that does on the host what a plan does there, with the mark on the bridge by which it is known again, and
// writes the record of that once, as a whole.
func (d *bed) floorOf(b *testing.B, plan host.Plan) work {
	b.Helper()
	route, filter := newKernel(b, unix.NETLINK_ROUTE), newKernel(b, unix.NETLINK_NETFILTER)
	control, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(b, err)
	b.Cleanup(func() { unix.Close(control) })
	text, err := json.Marshal(plan)
	require.NoError(b, err)
	kept := record{d.floorFolder(b), string(text)}
	begin, undo := []func() error{kept.write}, []func() error{kept.remove}
	for _, step := range plan {
		switch op := step.Op.(type) {
		case host.SetFilter:
			add, remove := nft.Prepared(op.Filter, d.isFirst(b))
			begin = append(begin, func() error { return filter.do(add) })
			undo = append(undo, func() error { return filter.do(remove) })
		case host.AddBridge:
			add, mark, remove := newBridge(b, op.Link, op.MAC), markLink(b, op.Link, op.Owner), deleteLink(b, op.Link)
			begin = append(begin, func() error { return errors.Join(route.do(add), route.do(mark)) })
			undo = append(undo, func() error { return route.do(remove) })
		case host.AddAddr:
			add := newAddr(b, op.Prefix)
			begin = append(begin, func() error {
				index, err := indexOf(control, op.Link)
				if err != nil {
					return err
				}
				return route.do(setIndex(add, index))
			})
		case host.EnableForwarding:
			begin = append(begin, func() error { return writeFile("/proc/sys/net/ipv4/ip_forward", "1") })
			if d.isFirst(b) {
				undo = append(undo, func() error { return writeFile("/proc/sys/net/ipv4/ip_forward", "0") })
			}
		case host.SetUp: // together with the bridge
		case host.SetSysctl:
			begin = append(begin, func() error { return writeFile("/proc/sys/"+op.Key, op.Value) })
		case host.Serve:
			s := newRawServer(b, op)
			begin, undo = append(begin, s.start), append(undo, s.stop)
		default:
			b.Fatalf("%s has no floor yet", step)
		}
	}
	return work{func() error { return inTurn(begin) }, func() error { return inReverse(undo) }}
}

// floorFolder is where a floor writes, beside the folders of the library.
func (d *bed) floorFolder(b *testing.B) string {
	b.Helper()
	folder := filepath.Join(d.run, "floor")
	require.NoError(b, os.MkdirAll(folder, 0o700))
	return folder
}

func inTurn(steps []func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func inReverse(steps []func() error) error {
	for i := len(steps) - 1; i >= 0; i-- {
		if err := steps[i](); err != nil {
			return err
		}
	}
	return nil
}

// isFirst reports whether no network runs.
func (d *bed) isFirst(b *testing.B) bool {
	for s, err := range d.nets.All(b.Context()) {
		require.NoError(b, err)
		if s.Active() {
			return false
		}
	}
	return true
}

// A rawServer is dnsmasq, started as directly as it can be.
type rawServer struct {
	path string
	argv []string
	pid  int
	null *os.File
}

func newRawServer(b *testing.B, op host.Serve) *rawServer {
	b.Helper()
	path, err := findDnsmasq()
	require.NoError(b, err)
	folder := b.TempDir()
	require.NoError(b, os.Chmod(folder, 0o755))
	conf := filepath.Join(folder, "conf")
	scope := op.Server.Link
	text := fmt.Sprintf("interface=%s\nbind-dynamic\nexcept-interface=lo\ndhcp-range=%s\ndhcp-leasefile=%s\nno-hosts\nstrict-order\npid-file=\n", scope, "10.128.0.2,10.128.0.254,255.255.255.0", filepath.Join(folder, "leases"))
	require.NoError(b, os.WriteFile(conf, []byte(text), 0o644))
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	require.NoError(b, err)
	b.Cleanup(func() { null.Close() })
	return &rawServer{path: path, argv: []string{path, "--conf-file=" + conf, "--keep-in-foreground", "--log-facility=-"}, null: null}
}

func findDnsmasq() (string, error) {
	for _, path := range []string{"/usr/sbin/dnsmasq", "/usr/bin/dnsmasq", "/sbin/dnsmasq"} {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", errors.New("no dnsmasq")
}

// start returns when the server says that it has started.
func (s *rawServer) start() error {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	defer unix.Close(pipe[0])
	var err error
	s.pid, err = syscall.ForkExec(s.path, s.argv, &syscall.ProcAttr{
		Env: []string{"LC_ALL=C"}, Files: []uintptr{s.null.Fd(), s.null.Fd(), uintptr(pipe[1])},
	})
	unix.Close(pipe[1])
	if err != nil {
		return err
	}
	var said []byte
	for buffer := make([]byte, 4096); !bytes.Contains(said, []byte("started")); {
		n, err := unix.Read(pipe[0], buffer)
		if err != nil || n == 0 {
			return fmt.Errorf("dnsmasq ended: %w: %s", err, said)
		}
		said = append(said, buffer[:n]...)
	}
	return nil
}

func (s *rawServer) stop() error {
	if err := syscall.Kill(s.pid, syscall.SIGTERM); err != nil {
		return err
	}
	_, err := syscall.Wait4(s.pid, nil, 0, nil)
	return err
}

// BenchmarkStart starts a NAT network until its DHCP server answers.
func BenchmarkStart(b *testing.B) { benchmarkNetwork(b, doing) }

// BenchmarkStop stops it.
func BenchmarkStop(b *testing.B) { benchmarkNetwork(b, undoing) }

func benchmarkNetwork(b *testing.B, measured part) {
	for _, dhcp := range []bool{true, false} {
		for _, count := range others {
			b.Run(fmt.Sprintf("dhcp=%t/networks=%d", dhcp, count), func(b *testing.B) {
				d := newBed(b)
				d.fill(b, count)
				plan := d.define(b, natNetwork(b, 0, dhcp))
				compare(b, measured, d.floorOf(b, plan), d.own(b, "net0"))
			})
		}
	}
}

// BenchmarkStart_in_process starts a NAT network whose guests are served by this process, and one that serves nobody.
func BenchmarkStart_in_process(b *testing.B) {
	d := newBedAs(b, linux.Config{Engine: &serve.Engine{}})
	without, with := natNetwork(b, 0, false), natNetwork(b, 1, true)
	d.define(b, without)
	d.define(b, with)
	b.Run("dhcp=true/networks=0", func(b *testing.B) {
		pairs := takeTurns(b, doing, d.own(b, without.Name), d.own(b, with.Name))
		b.ReportMetric(micros(pairs[0]), "without-µs")
		b.ReportMetric(micros(pairs[1]), "own-µs")
		b.ReportMetric(over(pairs), "over-µs")
	})
}
