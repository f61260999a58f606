// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/internal/testenv"
)

// portCounts is how many ports there are, with the one that is measured.
var portCounts = []int{1, 100, 1000}

// A kind is a kind of port: how a guest asks for it, and the least that makes it.
type kind struct {
	name  string
	iface string // a document with a place for the name of the device
	floor func(b *testing.B, kept record) work
}

var kinds = []kind{
	{"tap", `<interface type='network'><source network='net0'/><target dev='%s'/><model type='virtio'/></interface>`, rawTap},
	{"veth", `<interface type='network'><source network='net0'/><target dev='%s'/><guest dev='e%[1]s'/></interface>`, rawVeth},
	{"macvtap", `<interface type='direct'><source dev='card' mode='bridge'/><target dev='%s'/><model type='virtio'/></interface>`, rawMacvtap},
}

// BenchmarkAttach attaches a guest, with the record that it is there, until the descriptor of its device is open.
func BenchmarkAttach(b *testing.B) { benchmarkPort(b, doing) }

// BenchmarkDetach takes a guest's device away.
func BenchmarkDetach(b *testing.B) { benchmarkPort(b, undoing) }

func benchmarkPort(b *testing.B, measured part) {
	for _, k := range kinds {
		for _, count := range portCounts {
			b.Run(fmt.Sprintf("%s/ports=%d", k.name, count), func(b *testing.B) {
				d := newBed(b)
				d.start(b, natNetwork(b, 0, false))
				d.addCard(b)
				all := newGuests(b, d, k)
				all.add(count - 1)
				compare(b, measured, k.floor(b, all.record()), all.own())
			})
		}
	}
}

// addCard makes a network card for macvtap devices, with a cable to nowhere.
func (d *bed) addCard(b *testing.B) {
	b.Helper()
	run(b, "ip", "link", "add", "card", "type", "veth", "peer", "name", "cable")
	b.Cleanup(func() { run(b, "ip", "link", "del", "card") })
	run(b, "ip", "link", "set", "card", "up")
	run(b, "ip", "link", "set", "cable", "up")
}

// Guests are attached by the library.
type guests struct {
	b         *testing.B
	bed       *bed
	kind      kind
	container string
	made      int
}

func newGuests(b *testing.B, d *bed, k kind) *guests {
	return &guests{b: b, bed: d, kind: k, container: newContainer(b)}
}

// A guest has a port, and the open device if it is one that a monitor opens.
type guest struct {
	port  *domainiface.Port
	files []*os.File
}

// next is what another guest asks for.
func (g *guests) next() *domainiface.Interface {
	g.b.Helper()
	g.made++
	doc, err := domainiface.Parse(strings.NewReader(fmt.Sprintf(g.kind.iface, fmt.Sprintf("p%d", g.made))))
	require.NoError(g.b, err)
	return doc
}

func (g *guests) attach(doc *domainiface.Interface) (guest, error) {
	who := domainiface.Guest{Name: "guest", Opens: true}
	if g.kind.name == "veth" {
		who.Namespace = g.container
	}
	p, err := domainiface.Attach(g.b.Context(), g.bed.nets, who, doc)
	if err != nil || g.kind.name == "veth" {
		return guest{port: p}, err
	}
	files, err := p.Open(g.b.Context(), 1)
	return guest{p, files}, err
}

func (g guest) detach(ctx context.Context) error {
	var errs []error
	for _, f := range g.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(append(errs, g.port.Detach(ctx))...)
}

// add attaches guests that are there besides the one that is measured, until the benchmark ends, and returns the last.
func (g *guests) add(count int) (last guest) {
	g.b.Helper()
	var all []guest
	g.b.Cleanup(func() {
		inCrowd(g.b, len(all), func(i int) error { return all[i].detach(context.Background()) })
	})
	for range count {
		one, err := g.attach(g.next())
		require.NoError(g.b, err)
		all, last = append(all, one), one
	}
	return last
}

// own is the library's way to attach and detach a guest.
func (g *guests) own() work {
	doc := g.next()
	var one guest
	return work{
		func() (err error) { one, err = g.attach(doc); return err },
		func() error { return one.detach(g.b.Context()) },
	}
}

// A record is what has to be written about a guest, and where.
type record struct{ folder, text string }

// record is what the library writes about a guest of this kind, and a folder beside those of the library.
func (g *guests) record() record {
	g.b.Helper()
	one, err := g.attach(g.next())
	require.NoError(g.b, err)
	found, err := filepath.Glob(filepath.Join(g.bed.run, "ports", "*"+one.port.ID.String()))
	require.NoError(g.b, err)
	require.Len(g.b, found, 1)
	text, err := os.ReadFile(found[0])
	require.NoError(g.b, err)
	require.NoError(g.b, one.detach(g.b.Context()))
	return record{g.bed.floorFolder(g.b), string(text)}
}

// write puts the record where it belongs as a whole.
func (r record) write() error {
	fresh := r.folder + "/.new"
	fd, err := unix.Open(fresh, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	_, err = unix.Write(fd, []byte(r.text))
	return errors.Join(err, unix.Rename(fresh, r.folder+"/guest"), unix.Close(fd))
}

func (r record) remove() error { return unix.Unlink(r.folder + "/guest") }

func index(b *testing.B, name string) int {
	b.Helper()
	link, err := net.InterfaceByName(name)
	require.NoError(b, err)
	return link.Index
}

func run(b *testing.B, name string, args ...string) {
	b.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	require.NoError(b, err, "%s %v: %s", name, args, out)
}

// newContainer is a network namespace in which the kernel does nothing by itself: a thousand guests would ask for addresses.
func newContainer(b *testing.B) string {
	b.Helper()
	ns := testenv.New(b)
	ns.SetSysctl(b, "net/ipv6/conf/default/disable_ipv6", "1")
	return ns.Path()
}
