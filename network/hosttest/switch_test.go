// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"testing"

	"github.com/go-virtnet/virtnet/network/host"
)

// TestSwitch has a switch say one thing after the other while somebody listens, and another asks.
func TestSwitch(t *testing.T) {
	m := New("eth0")
	possible := host.Switch{Link: "eth0", Chassis: "rack 4", Port: "1", Relay: host.RelayPossible, VDP: true}
	yes := possible
	yes.Relay = host.RelayYes
	if err := m.SetSwitch(possible); err != nil {
		t.Fatal(err)
	}
	next, stop := iter.Pull2(m.WatchSwitch(t.Context(), "eth0"))
	defer stop()
	hears := func(when string, want host.Switch) {
		t.Helper()
		if got, err, ok := next(); !ok || err != nil || got != want {
			t.Errorf("%s: %s, error %v, want %s", when, got, err, want)
		}
	}
	hears("at first", possible)
	asking, end := context.WithCancel(t.Context())
	ask, leave := iter.Pull2(m.Station(asking, "eth0"))
	if got, err, _ := ask(); err != nil || got != yes {
		t.Errorf("the station hears %s, error %v", got, err)
	}
	hears("while a station asks", yes)
	end()
	leave()
	hears("after it has left", possible)
	m.Reboot()
	if err := m.SetSwitch(host.Switch{Link: "eth0"}); err != nil {
		t.Fatal(err)
	}
	hears("when it says nothing", host.Switch{Link: "eth0"})
	if f, err := m.Facts(t.Context(), host.Scope{Switches: []string{"eth0"}}); err != nil || len(f.Switches) > 0 {
		t.Errorf("facts about a switch that says nothing: %v, %v", f, err)
	}
	if err := m.SetSwitch(host.Switch{Link: "eth9"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a switch at no link: %v", err)
	}
}
