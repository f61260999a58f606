// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/go-virtnet/virtnet/network/host"
)

func (s Suite) testTapOpener(t *testing.T) {
	two := with(tap1, func(o *host.AddTap) { o.Queues = 2 })
	x := s.open(t, br0, tap0, two)
	opener, ok := x.backend.(host.TapOpener)
	if !ok {
		t.Skip("the backend is no TapOpener")
	}
	x.do(br0, tap0, two, up("tap0"))
	before := x.facts()
	for _, c := range []struct {
		link   string
		queues int
		err    error
	}{
		{"tap0", 1, nil}, {"tap1", 1, nil}, {"tap1", 2, nil},
		{"tap0", 0, fs.ErrInvalid}, {"tap0", 2, fs.ErrInvalid}, {"tap1", -1, fs.ErrInvalid},
		{"tap9", 1, fs.ErrNotExist}, {"br0", 1, fs.ErrNotExist},
	} {
		files, err := opener.OpenTap(t.Context(), c.link, c.queues)
		if !errors.Is(err, c.err) {
			t.Errorf("open %s with %d queues: error %v, want %v", c.link, c.queues, err, c.err)
		}
		if want := max(c.queues, 0); err == nil && len(files) != want {
			t.Errorf("open %s: %d files, want %d", c.link, len(files), want)
		}
		closeAll(t, files)
	}
	x.same("after all was closed", before)
	for range 2 {
		files, err := opener.OpenTap(t.Context(), "tap0", 1)
		if err != nil {
			t.Fatalf("open after close: %v", err)
		}
		closeAll(t, files)
	}
}

func (s Suite) testMacvtapOpener(t *testing.T) {
	four := with(mv1, func(o *host.AddMacvtap) { o.Queues, o.VnetHdr = 4, true })
	x := s.open(t, tap0, mv0, four)
	opener, ok := x.backend.(host.MacvtapOpener)
	if !ok {
		t.Skip("the backend is no MacvtapOpener")
	}
	x.do(tap0, mv0, four, up("mv0"))
	before := x.facts()
	for _, c := range []struct {
		made   host.AddMacvtap
		queues int
		err    error
	}{
		{mv0, 1, nil}, {mv0, 1, nil}, {four, 1, nil}, {four, 4, nil},
		{mv0, 0, fs.ErrInvalid}, {mv0, 2, fs.ErrInvalid}, {four, 5, fs.ErrInvalid}, {four, -1, fs.ErrInvalid},
		{with(mv0, func(o *host.AddMacvtap) { o.Link = "mv9" }), 1, fs.ErrNotExist},
		{with(mv0, func(o *host.AddMacvtap) { o.Link = "tap0"; o.Lower = "mv0" }), 1, fs.ErrNotExist},
		{with(mv1, func(o *host.AddMacvtap) { o.Link = "mv0" }), 1, fs.ErrNotExist},
		{with(mv0, func(o *host.AddMacvtap) { o.Mode = "" }), 1, fs.ErrInvalid},
	} {
		files, err := opener.OpenMacvtap(t.Context(), c.made, c.queues)
		if !errors.Is(err, c.err) {
			t.Errorf("open %s with %d queues: error %v, want %v", c.made, c.queues, err, c.err)
		}
		if want := max(c.queues, 0); err == nil && len(files) != want {
			t.Errorf("open %s: %d files, want %d", c.made, len(files), want)
		}
		closeAll(t, files)
	}
	x.same("after all was closed", before)
}

func closeAll(t *testing.T, files []*os.File) {
	t.Helper()
	for _, file := range files {
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	}
}

func (s Suite) testLeaseReader(t *testing.T) {
	x := s.open(t, br0, gateway4, up("br0"), serve)
	reader, ok := x.backend.(host.LeaseReader)
	if !ok {
		t.Skip("the backend is no LeaseReader")
	}
	x.do(br0, gateway4, up("br0"))
	if _, err := reader.Leases(t.Context(), "n1"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no server: error %v, want %v", err, fs.ErrNotExist)
	}
	x.do(serve)
	if leases, err := reader.Leases(t.Context(), "n1"); err != nil || len(leases) != 0 {
		t.Errorf("new server: leases %v, error %v", leases, err)
	}
	x.do(serve.Inverse())
	want := []host.Lease{
		{Addr: netip.MustParseAddr("192.168.7.100"), MAC: host.MAC{0x52, 0x54, 0, 0, 0, 9}, Hostname: "nine"},
		{Addr: netip.MustParseAddr("192.168.7.101"), MAC: host.MAC{0x52, 0x54, 0, 0, 0, 8}, Expires: time.Unix(1<<32, 0).UTC()},
	}
	x.do(with(serve, func(o *host.Serve) { o.Leases = []host.Lease{want[1], want[0]} }))
	got, err := reader.Leases(t.Context(), "n1")
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		got[i].Expires = got[i].Expires.UTC()
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("leases %v, want %v", got, want)
	}
	x.do(host.SetServer{Server: served, Was: serve.Server})
	if got, err := reader.Leases(t.Context(), "n1"); err != nil || len(got) != len(want) {
		t.Errorf("leases after SetServer %v, error %v, want %v", got, err, want)
	}
	x.do(host.Unserve{Server: served})
}

// testNeighbourReader wants what holds of a table that nobody has written to: what is in it depends on who else is there.
func (s Suite) testNeighbourReader(t *testing.T) {
	x := s.open(t, br0, gateway4, up("br0"))
	reader, ok := x.backend.(host.NeighbourReader)
	if !ok {
		t.Skip("the backend is no NeighbourReader")
	}
	if _, err := reader.Neighbours(t.Context(), "br0"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no link: error %v, want %v", err, fs.ErrNotExist)
	}
	x.do(br0, gateway4, up("br0"))
	if got, err := reader.Neighbours(t.Context(), "br0"); err != nil || len(got) > 0 {
		t.Errorf("new bridge: neighbours %v, error %v", got, err)
	}
	if s.Learn != nil {
		mac := host.MAC{0x52, 0x54, 0, 0, 0, 9}
		want := []host.Neighbour{
			{Addr: netip.MustParseAddr("192.168.7.9"), MAC: mac, Confirmed: true},
			{Addr: netip.MustParseAddr("192.168.7.10"), MAC: mac},
			{Addr: netip.MustParseAddr("fe80::9"), MAC: mac, Confirmed: true},
		}
		for _, i := range []int{2, 0, 1} {
			s.Learn(t, "br0", want[i])
		}
		if got, err := reader.Neighbours(t.Context(), "br0"); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("neighbours %v, error %v, want %v", got, err, want)
		}
		if got, err := reader.Neighbours(t.Context(), "lo"); err != nil || len(got) > 0 {
			t.Errorf("another link: neighbours %v, error %v", got, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := reader.Neighbours(ctx, "br0"); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: error %v", err)
	}
	x.do(br0.Inverse())
	if _, err := reader.Neighbours(t.Context(), "br0"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("link that is gone: error %v, want %v", err, fs.ErrNotExist)
	}
}

func (s Suite) testBatcher(t *testing.T) {
	filter2 := host.SetFilter{Network: "n2", Filter: host.Filter{Network: "n2", Link: "br1", To: filter1.To}}
	taken := host.SetFilter{Network: "n3", Filter: host.Filter{Network: "n3", Link: "br1", To: filter1.To}}
	filters := []host.Op{host.SetFilter{Network: "n1", Filter: filter1}, filter2}
	links := []host.Op{br0, tap0, plug("tap0", "br0")}
	x := s.open(t, slices.Concat(filters, links)...)
	batcher, ok := x.backend.(host.Batcher)
	if !ok {
		t.Skip("the backend is no Batcher")
	}
	before := x.facts()
	for _, ops := range [][]host.Op{append(links, br0), append(filters, taken), slices.Concat(links, filters, links)} {
		if err := batcher.DoAll(t.Context(), ops); !errors.Is(err, fs.ErrExist) {
			t.Errorf("error %v, want %v", err, fs.ErrExist)
		}
		x.same("after the failed DoAll", before)
	}
	ops := slices.Concat(filters, links)
	if err := batcher.DoAll(t.Context(), ops); err != nil {
		t.Fatal(err)
	}
	if missing := planOf(ops).Missing(x.facts()); len(missing) > 0 {
		t.Errorf("after DoAll there is still to do:\n%s", missing)
	}
}

// testCounterReader has guests of every kind send, and reads it as they see it.
func (s Suite) testCounterReader(t *testing.T) {
	tap := with(tap0, func(o *host.AddTap) { o.Owner = "" })
	for name, c := range map[string]struct {
		before []host.Op
		made   host.Op
		after  []host.Op
		other  host.Op
	}{
		"tap":                  {nil, tap, []host.Op{up("tap0")}, with(tap, func(o *host.AddTap) { o.MAC = tap1.MAC })},
		"veth":                 {nil, veth, []host.Op{up("veth0")}, with(veth, func(o *host.AddVeth) { o.MAC = tap1.MAC })},
		"macvtap":              {[]host.Op{tap, up("tap0")}, mv0, []host.Op{up("mv0")}, with(mv0, func(o *host.AddMacvtap) { o.MAC, o.Owner = mv1.MAC, "" })},
		"macvlan":              {[]host.Op{tap, up("tap0")}, eth0, nil, with(eth0, func(o *host.AddMacvlan) { o.Owner = "another" })},
		"port of Open vSwitch": {[]host.Op{tap0}, host.AddOVSPort(port0), nil, with(host.AddOVSPort(port0), func(o *host.AddOVSPort) { o.Link = "tap9" })},
	} {
		t.Run(name, func(t *testing.T) {
			x := s.open(t, append(c.before, c.made)...)
			reader, ok := x.backend.(host.CounterReader)
			if !ok {
				t.Skip("the backend is no CounterReader")
			}
			read := func(made host.Op, want error) host.Counters {
				t.Helper()
				got, err := reader.Counters(t.Context(), x.here(made))
				if !errors.Is(err, want) {
					t.Errorf("%s: error %v, want %v", made, err, want)
				}
				return got
			}
			x.do(c.before...)
			read(c.made, fs.ErrNotExist)
			x.do(c.made)
			x.do(c.after...)
			read(c.other, fs.ErrNotExist)
			was := read(c.made, nil)
			if was.Sent != (host.Traffic{}) {
				t.Errorf("a guest that has sent nothing: %v", was)
			}
			if s.Send != nil {
				s.Send(t, x.here(c.made), 3)
				sent := read(c.made, nil).Sent
				if sent.Packets != 3 || sent.Bytes < 3*14 || sent.Errors != 0 {
					t.Errorf("a guest that has sent 3 frames: %v", sent)
				}
			}
			x.do(c.made.Inverse())
			read(c.made, fs.ErrNotExist)
		})
	}
	t.Run("others", func(t *testing.T) {
		x := s.open(t, br0)
		reader, ok := x.backend.(host.CounterReader)
		if !ok {
			t.Skip("the backend is no CounterReader")
		}
		x.do(br0)
		if _, err := reader.Counters(t.Context(), br0); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("counters of a bridge: error %v, want %v", err, errors.ErrUnsupported)
		}
		if _, err := reader.Counters(t.Context(), host.AddTap{}); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("counters of nothing: error %v, want %v", err, fs.ErrInvalid)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := reader.Counters(ctx, tap0); !errors.Is(err, context.Canceled) {
			t.Errorf("canceled: error %v", err)
		}
	})
}
