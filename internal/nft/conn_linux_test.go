// SPDX-License-Identifier: Apache-2.0

package nft

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// connect gives a connection to a network namespace of the test's own.
func connect(t testing.TB) (*Conn, *testenv.Namespace) {
	t.Helper()
	testenv.NeedRoot(t)
	ns := testenv.New(t)
	return connectTo(t, ns), ns
}

func connectTo(t testing.TB, ns *testenv.Namespace) *Conn {
	c := New(func(f func() error) (err error) {
		ns.Run(t, func() { err = f() })
		return err
	})
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func set(t testing.TB, c *Conn, f, was host.Filter) {
	t.Helper()
	id := f.Network
	if f.IsZero() {
		id = was.Network
	}
	require.NoError(t, c.SetFilter(t.Context(), host.SetFilter{Network: id, Filter: f, Was: was}))
}

func get(t testing.TB, c *Conn) []host.Filter {
	t.Helper()
	filters, err := c.Filters(t.Context(), nil)
	require.NoError(t, err)
	return filters
}

// same wants these filters, in any order.
func same(t testing.TB, want, got []host.Filter) {
	t.Helper()
	text := func(filters []host.Filter) string {
		var lines []string
		for _, f := range filters {
			// %#v tells apart what String does not.
			lines = append(lines, fmt.Sprintf("%s: %s\n%s%#v\n", f.Network, f.Link, f, f))
		}
		slices.Sort(lines)
		return strings.Join(lines, "")
	}
	if d := cmp.Diff(text(want), text(got)); d != "" {
		t.Fatalf("filters (- wanted, + got):\n%s", d[:min(len(d), 4000)])
	}
}

func listing(t testing.TB, ns *testenv.Namespace) string {
	t.Helper()
	testenv.NeedProgram(t, "nft")
	return ns.Output(t, "nft", "--stateless", "list", "ruleset")
}

func load(t testing.TB, ns *testenv.Namespace, text string, args ...string) {
	t.Helper()
	testenv.NeedProgram(t, "nft")
	file := filepath.Join(t.TempDir(), "ruleset")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o666))
	ns.Output(t, "nft", append(args, "-f", file)...)
}

func TestKernelRoundTrip(t *testing.T) {
	c, ns := connect(t)
	before := ns.Snapshot(t)
	require.Empty(t, get(t, c))
	filters := append([]host.Filter{everyKind()}, severalNetworks()...)
	filters[0].Network, filters[0].Link = "a", "bra"
	for _, f := range filters {
		set(t, c, f, host.Filter{})
	}
	same(t, filters, get(t, c))
	one, err := c.Filters(t.Context(), []string{"isolated"})
	require.NoError(t, err)
	same(t, filters[2:3], one)
	for _, f := range filters {
		set(t, c, host.Filter{}, f)
	}
	require.Equal(t, before, ns.Snapshot(t))
}

// What nft makes of our text is what we make ourselves, as nft lists it and as we read it.
func TestTextIsTheSame(t *testing.T) {
	c, ns := connect(t)
	filters := append([]host.Filter{everyKind()}, severalNetworks()...)
	filters[0].Network, filters[0].Link = "a", "bra"
	text := Text(filters)
	load(t, ns, text, "--check")
	require.Empty(t, get(t, c), "that was only a check")
	load(t, ns, text)
	same(t, filters, get(t, c))
	byNft := listing(t, ns)

	c, ns = connect(t)
	for _, f := range filters {
		set(t, c, f, host.Filter{})
	}
	byUs := listing(t, ns)
	require.Equal(t, blocks(byNft), blocks(byUs))
}

// blocks cuts a listing into chains and maps, sorted, each with its lines in their order; those of a map have none.
func blocks(text string) []string {
	text = strings.ReplaceAll(strings.TrimSuffix(text, "\n}\n"), "\n}\ntable ", "\n\ntable ")
	text = strings.ReplaceAll(text, " {\n\tchain", " {\n\n\tchain")
	list := strings.Split(strings.ReplaceAll(text, " {\n\tset", " {\n\n\tset"), "\n\n")
	for i, b := range list {
		if head, elements, ok := strings.Cut(b, "elements = {"); ok {
			words := strings.Split(strings.Trim(elements, " }\n\t"), ",")
			for i := range words {
				words[i] = strings.TrimSpace(words[i])
			}
			slices.Sort(words)
			list[i] = head + strings.Join(words, "\n")
		}
	}
	slices.Sort(list)
	return list
}

func TestListing(t *testing.T) {
	c, ns := connect(t)
	set(t, c, natNetwork("6f9d2b6e-7d6c-4f0e-9c2a-0d2f6b1f6a01", "virbr0"), host.Filter{})
	golden(t, "listing.nft", listing(t, ns))
}

// The table of somebody else stays as it is, and so does what somebody put into ours.
func TestForeign(t *testing.T) {
	c, ns := connect(t)
	load(t, ns, `
		add table inet other
		add chain inet other forward { type filter hook forward priority filter; }
		add rule inet other forward iifname "br0" counter accept
		add table ip virtnet
		add chain ip virtnet from-n1
		add rule ip virtnet from-n1 counter drop
	`)
	before := ns.Snapshot(t)
	f, g := natNetwork("n1", "br0"), host.Filter{Network: "n1", Link: "br0", To: []host.Rule{{Do: host.Drop}}}
	set(t, c, f, host.Filter{})
	set(t, c, g, f)
	same(t, []host.Filter{g}, get(t, c))
	set(t, c, host.Filter{}, g)
	require.Equal(t, before, ns.Snapshot(t))

	set(t, c, f, host.Filter{})
	load(t, ns, "add chain inet virtnet mine\nadd set inet virtnet things { type ipv4_addr; }\n")
	set(t, c, host.Filter{}, f)
	require.Empty(t, get(t, c))
	text := listing(t, ns)
	require.Contains(t, text, "chain mine")
	require.Contains(t, text, "set things")
	set(t, c, f, host.Filter{})
	same(t, []host.Filter{f}, get(t, c))
	ns.Output(t, "nft", "delete chain inet virtnet mine; delete set inet virtnet things;")
	set(t, c, host.Filter{}, f)
	require.Equal(t, before, ns.Snapshot(t))
}

// One rule that the kernel does not take is enough.
func TestAtomic(t *testing.T) {
	c, ns := connect(t)
	f := natNetwork("n1", "br0")
	bad := f
	bad.From = append(bad.From[:3:3], host.Rule{Src: net4, Do: host.Masquerade})
	op := host.SetFilter{Network: "n1", Filter: bad}
	require.Error(t, op.Check(), "only the kernel is asked here")
	before := ns.Snapshot(t)
	err := c.SetFilter(t.Context(), op)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorContains(t, err, "add to map from link br0: operation not supported")
	require.Equal(t, before, ns.Snapshot(t))

	set(t, c, f, host.Filter{})
	before = ns.Snapshot(t)
	op.Was = f
	require.Error(t, c.SetFilter(t.Context(), op))
	require.Equal(t, before, ns.Snapshot(t))
	same(t, []host.Filter{f}, get(t, c))

	for range 400 { // more errors than fit into one answer
		bad.To = append(bad.To, host.Rule{Src: net4, Do: host.Masquerade})
	}
	op.Filter = bad
	err = c.SetFilter(t.Context(), op)
	require.ErrorContains(t, err, "operation not supported; and 4")
	require.Less(t, len(err.Error()), 1000)
	same(t, []host.Filter{f}, get(t, c))
}

func TestErrors(t *testing.T) {
	c, ns := connect(t)
	f, g := natNetwork("n1", "br0"), natNetwork("n2", "br0")
	refused := func(want error, filter, was host.Filter) {
		t.Helper()
		before := ns.Snapshot(t)
		id := max(filter.Network, was.Network)
		require.ErrorIs(t, c.SetFilter(t.Context(), host.SetFilter{Network: id, Filter: filter, Was: was}), want)
		require.Equal(t, before, ns.Snapshot(t))
	}
	refused(fs.ErrNotExist, host.Filter{}, f)
	refused(fs.ErrNotExist, f, f)
	set(t, c, f, host.Filter{})
	refused(fs.ErrExist, f, host.Filter{})
	refused(fs.ErrExist, g, host.Filter{})
	refused(fs.ErrNotExist, host.Filter{}, g)
	refused(fs.ErrNotExist, g, g)
	g.Link, g.DHCP = "br1", f.DHCP[1:]
	refused(fs.ErrExist, g, host.Filter{})

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, c.SetFilter(ended, host.SetFilter{Network: "n1", Was: f}), context.Canceled)
	_, err := c.Filters(ended, nil)
	require.ErrorIs(t, err, context.Canceled)
	same(t, []host.Filter{f}, get(t, c))

	require.NoError(t, c.Close())
	require.NoError(t, c.Close())
	require.ErrorIs(t, c.SetFilter(t.Context(), host.SetFilter{Network: "n1", Was: f}), os.ErrClosed)
}

// A conversation that broke off costs one operation its result; the next begins another.
func TestBrokenSocket(t *testing.T) {
	c, _ := connect(t)
	f := natNetwork("n1", "br0")
	set(t, c, f, host.Filter{})
	null, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer null.Close()
	for _, do := range []func() error{
		func() error { _, err := c.Filters(t.Context(), nil); return err },
		func() error { return c.SetFilter(t.Context(), host.SetFilter{Network: "n1", Was: f}) },
	} {
		get(t, c)
		require.NoError(t, unix.Dup3(int(null.Fd()), c.socket.fd, unix.O_CLOEXEC))
		require.ErrorIs(t, do(), unix.ENOTSOCK)
		same(t, []host.Filter{f}, get(t, c))
	}
	set(t, c, host.Filter{}, f)
}

func TestWithoutTables(t *testing.T) {
	c := New(func(func() error) error { return fmt.Errorf("socket: %w", errors.ErrUnsupported) })
	err := c.SetFilter(t.Context(), host.SetFilter{Network: "n1", Filter: natNetwork("n1", "br0")})
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorContains(t, err, "the kernel has no nf_tables")
	filters, err := c.Filters(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, filters)
	require.ErrorIs(t, noTables(unix.EINVAL), errors.ErrUnsupported)
	require.Equal(t, unix.EPERM, noTables(unix.EPERM))
}

func TestManyRules(t *testing.T) {
	c, ns := connect(t)
	before := ns.Snapshot(t)
	for _, n := range []int{500, 5000} {
		f := host.Filter{Network: "n1", Link: "br0"}
		for i := range n {
			f.From = append(f.From, host.Rule{Src: net6, Proto: host.Proto(i%255 + 1), Out: fmt.Sprint("eth", i), Established: true, Do: host.Return})
		}
		set(t, c, f, host.Filter{})
		same(t, []host.Filter{f}, get(t, c))
		set(t, c, f, f)
		set(t, c, host.Filter{}, f)
		require.Equal(t, before, ns.Snapshot(t))
	}
}

// Somebody else changes the ruleset after we looked: nothing is done, and the next look sees it.
func TestGeneration(t *testing.T) {
	c, ns := connect(t)
	f, g := natNetwork("n1", "br0"), natNetwork("n2", "br1")
	set(t, c, f, host.Filter{})
	deleteLast := host.SetFilter{Network: "n1", Was: f}
	v, err := c.socket.look(deleteLast.Network)
	require.NoError(t, err)
	b := newBatch(v.generation)
	needed, err := v.change(b, deleteLast)
	require.NoError(t, err)
	require.True(t, needed)
	b.end()
	require.Contains(t, changes(b), "delete table virtnet")

	set(t, connectTo(t, ns), g, host.Filter{})
	refused, err := c.socket.commit(b)
	require.True(t, refused)
	require.ErrorIs(t, err, unix.ERESTART)
	same(t, []host.Filter{f, g}, get(t, c))
	require.NoError(t, c.SetFilter(t.Context(), deleteLast))
	same(t, []host.Filter{g}, get(t, c))
}

// Two that make the first filter, or delete the last, at the same time.
func TestFirstAndLastAtOnce(t *testing.T) {
	c, ns := connect(t)
	before := ns.Snapshot(t)
	conns := []*Conn{c, connectTo(t, ns), connectTo(t, ns)}
	for _, c := range conns {
		get(t, c) // sockets are opened here
	}
	for round := range 100 {
		together(t, conns, func(i int, c *Conn) error {
			f := natNetwork(fmt.Sprint("n", i), fmt.Sprint("br", i))
			return c.SetFilter(t.Context(), host.SetFilter{Network: f.Network, Filter: f})
		})
		if round%10 == 0 {
			require.Len(t, get(t, c), len(conns))
		}
		together(t, conns, func(i int, c *Conn) error {
			f := natNetwork(fmt.Sprint("n", i), fmt.Sprint("br", i))
			return c.SetFilter(t.Context(), host.SetFilter{Network: f.Network, Was: f})
		})
	}
	require.Equal(t, before, ns.Snapshot(t))
}

func together(t *testing.T, conns []*Conn, do func(int, *Conn) error) {
	t.Helper()
	errs := make(chan error)
	for i, c := range conns {
		go func() { errs <- do(i, c) }()
	}
	for range conns {
		require.NoError(t, <-errs)
	}
}
