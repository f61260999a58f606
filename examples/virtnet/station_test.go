// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
)

// at calls the program at a station, as a person would.
func (s station) at(t *testing.T, args ...string) (out, errs string, status int) {
	t.Helper()
	var o, e bytes.Buffer
	s.errs = &e
	status = s.run(t.Context(), &o, args)
	return o.String(), e.String(), status
}

// inMemory is a station with a machine in memory that has a default route.
func inMemory(t *testing.T) (station, *hosttest.Machine) {
	t.Helper()
	m := hosttest.New("eth0")
	for _, op := range []host.Op{
		host.AddAddr{Link: "eth0", Prefix: netip.MustParsePrefix("192.0.2.2/24")},
		host.AddRoute{Link: "eth0", Dest: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("192.0.2.1"), Metric: 1},
	} {
		require.NoError(t, m.Do(t.Context(), op))
	}
	return station{backend: m, store: network.Memory()}, m
}

func sample(name string) string { return filepath.Join("testdata", "station", name) }

// uuids are what random ones look like.
var uuids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)

var times = regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+-]\d\d:\d\d)`)

// TestStation is a day in the life of two networks, compared with what is in testdata.
func TestStation(t *testing.T) {
	s, m := inMemory(t)
	before := m.String()
	const uuid = "0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9"
	var all strings.Builder
	for _, line := range []string{
		"list", "list --json", "up lan.xml", "up --autostart --json lab.xml", "attach --guest web web.xml", "attach --json --guest db db.xml",
		"list", "list --json", "show lan", "show --json lab", "leases", "LEASE", "leases", "leases --json lan",
		"graph", "graph --json lan", "graph --format svg",
		"check", "check --json", "BREAK", "check", "check --json lan", "repair --dry-run lan", "repair --json --dry-run lab", "repair", "check",
		"detach vnet1", "down --idle lan", "down --undefine lan", "down --json lan", "list", "up lan", "detach --json vnet0",
		"down --undefine lan", "down --undefine lab", "list",
		"down lan", "show lan", "detach vnet9", "up nowhere.xml", "up web.xml", "attach --guest x lan.xml", "check lan", "graph lan", "leases lan",
	} {
		switch line {
		case "LEASE":
			require.NoError(t, m.GiveLease(uuid, host.Lease{
				Addr: netip.MustParseAddr("10.7.0.7"), MAC: host.MAC{0x52, 0x54, 0, 0, 0, 3}, Hostname: "web", Expires: time.Date(2030, 1, 2, 3, 4, 5, 0, time.Local),
			}))
			continue
		case "BREAK":
			m.FlushFilters()
			require.NoError(t, m.KillServer(uuid))
			require.NoError(t, m.Do(t.Context(), host.Unplug{Link: "vnet0", Bridge: "virbr7"}))
			continue
		}
		args := strings.Fields(line)
		for i, arg := range args {
			if strings.HasSuffix(arg, ".xml") {
				args[i] = sample(arg)
			}
		}
		out, errs, status := s.at(t, args...)
		all.WriteString("$ virtnet " + line + "\n" + out)
		if errs != "" {
			all.WriteString("! " + errs)
		}
		if status != 0 {
			all.WriteString("status " + string(rune('0'+status)) + "\n")
		}
	}
	require.Equal(t, before, m.String(), "nothing is left")
	zone := time.Date(2030, 1, 2, 3, 4, 5, 0, time.Local).Format(time.RFC3339)
	text := strings.ReplaceAll(all.String(), zone, "EXPIRES")
	text = uuids.ReplaceAllStringFunc(text, func(id string) string {
		if strings.HasSuffix(id, "a4b5c6d7e8f9") {
			return id
		}
		return "00000000-0000-4000-8000-000000000000"
	})
	text = filepath.ToSlash(times.ReplaceAllString(text, "TIME"))
	golden := sample("golden.txt")
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(text), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), text)
}

// What is printed as JSON is JSON, and the drawing is XML, whatever names there are.
func TestStationPrintsWhatCanBeRead(t *testing.T) {
	s, _ := inMemory(t)
	odd := strings.ReplaceAll(readSample(t, "lan.xml"), "<name>lan</name>", "<name>a&lt;b&gt; &amp; \"c\"</name>")
	_, errs, status := s.at(t, "up", file(t, odd))
	require.Zero(t, status, errs)
	for _, args := range [][]string{{"list", "--json"}, {"check", "--json"}, {"graph", "--json"}, {"leases", "--json"}} {
		out, errs, status := s.at(t, args...)
		require.Zero(t, status, errs)
		require.True(t, json.Valid([]byte(out)), out)
	}
	out, _, status := s.at(t, "graph", "--format", "svg")
	require.Zero(t, status)
	d := xml.NewDecoder(strings.NewReader(out))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
	}
	out, _, _ = s.at(t, "graph")
	require.Contains(t, out, `a#lt;b#gt; & #quot;c#quot;`)
}

func readSample(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(sample(name))
	require.NoError(t, err)
	return string(text)
}

// A stopper ends a call when a text is printed.
type stopper struct {
	bytes.Buffer
	text string
	stop func()
}

func (w *stopper) Write(p []byte) (int, error) {
	n, err := w.Buffer.Write(p)
	if strings.Contains(w.String(), w.text) {
		w.stop()
	}
	return n, err
}

// What drifts is repaired until somebody ends it.
func TestStationRepairsAsItHappens(t *testing.T) {
	s, m := inMemory(t)
	_, _, status := s.at(t, "up", sample("lan.xml"))
	require.Zero(t, status)
	whole := m.String()
	m.FlushFilters()
	for _, args := range [][]string{{"repair", "--watch"}, {"repair", "--watch", "--json"}} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		out := &stopper{text: "drift-mended", stop: cancel}
		var errs bytes.Buffer
		s.errs = &errs
		require.Zero(t, s.run(ctx, out, args), errs.String())
		for _, want := range []string{"watching", "drift-found", "repaired", "drift-mended"} {
			require.Contains(t, out.String(), want)
		}
		require.Equal(t, whole, m.String())
		m.FlushFilters()
	}
}

// A slow backend is one whose operations take as long as a test wants.
type slow struct {
	*hosttest.Machine
	busy func()
}

func (s slow) Do(ctx context.Context, op host.Op) error {
	s.busy()
	return s.Machine.Do(ctx, op)
}

// What takes longer than a second is told, and what does not is not.
func TestProgress(t *testing.T) {
	s, m := inMemory(t)
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	type alarm struct {
		at   time.Time
		ring func()
	}
	var set *alarm
	s.now = func() time.Time { return now }
	s.after = func(d time.Duration, f func()) func() bool {
		set = &alarm{now.Add(d), f}
		return func() bool { set = nil; return true }
	}
	step := time.Duration(0)
	s.backend = slow{m, func() {
		now = now.Add(step)
		if set != nil && now.After(set.at) {
			set.ring()
			set.at = now.Add(time.Hour)
		}
	}}
	_, errs, status := s.at(t, "up", sample("lab.xml"))
	require.Zero(t, status, errs)
	require.Empty(t, errs)
	step = 600 * time.Millisecond
	_, errs, status = s.at(t, "down", "lab")
	require.Zero(t, status, errs)
	require.Equal(t, "virtnet: stopping network \"lab\" ...\nvirtnet: stopping network \"lab\": 1.2s\n", errs)
	m.Fail = func(op host.Op) error { return io.ErrUnexpectedEOF }
	_, errs, status = s.at(t, "up", "lab")
	require.Equal(t, 1, status)
	require.NotContains(t, errs, "starting network", "it failed at once")
	require.Contains(t, errs, "unexpected EOF")
}
