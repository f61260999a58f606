// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"testing"
	"time"

	"github.com/go-virtnet/virtnet/network/host"
)

// testSwitchWatcher listens where there is no link, where there is no switch, and where there is one.
func (s Suite) testSwitchWatcher(t *testing.T) {
	x := s.open(t, tap0)
	watcher, ok := x.backend.(host.SwitchWatcher)
	if !ok {
		t.Skip("the backend is no SwitchWatcher")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ended, end := context.WithCancel(t.Context())
	end()
	x.do(tap0)
	for name, listen := range map[string]listening{"WatchSwitch": watcher.WatchSwitch, "Station": watcher.Station} {
		said, err := firstOf(ctx, listen, "none", host.RelayUnknown)
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s where there is no link: %s, error %v, want %v", name, said, err, fs.ErrNotExist)
		}
		for said, err := range listen(ended, "tap0") {
			t.Errorf("%s yields %s, error %v, after the end", name, said, err)
		}
	}
	if f := x.look(host.Scope{Switches: []string{"tap0", "none"}}); len(f.Switches) > 0 {
		t.Errorf("the facts know of switches that nobody heard:\n%s", f)
	}
	if s.Switch == nil {
		t.Skip("the caller gave no switch")
	}
	const link = switchedCard
	s.Switch(t, link)
	said, err := firstOf(ctx, watcher.Station, link, host.RelayYes)
	if err != nil || said.Relay != host.RelayYes || !said.VDP || said.Link != link {
		t.Errorf("asked to reflect, the switch says that it %s, error %v", said, err)
	}
	if f := x.look(host.Scope{Switches: []string{link}}); f.Switch(link).Chassis != said.Chassis || f.Switch(link).Relay == host.RelayUnknown {
		t.Errorf("the facts know that the switch %s, which said that it %s", f.Switch(link), said)
	}
	if f := x.look(host.Scope{All: true}); len(f.Switches) > 0 {
		t.Errorf("the facts tell of switches that nobody asked for: %v", f.Switches)
	}
}

// testRelayProber tries where there is no link, where it is off, and at a switch that reflects only if it is asked to.
func (s Suite) testRelayProber(t *testing.T) {
	x := s.open(t, tap0)
	prober, ok := x.backend.(host.RelayProber)
	if !ok {
		t.Skip("the backend is no RelayProber")
	}
	x.do(tap0)
	for _, link := range []string{"none", "tap0"} {
		if found, err := prober.ProbeRelay(t.Context(), link); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %s, error %v, want %v", link, found, err, fs.ErrNotExist)
		}
	}
	if s.Switch == nil {
		t.Skip("the caller gave no switch")
	}
	s.Switch(t, switchedCard)
	ended, end := context.WithCancel(t.Context())
	end()
	if found, err := prober.ProbeRelay(ended, switchedCard); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %s, error %v, want %v", found, err, context.Canceled)
	}
	if f := x.look(host.Scope{Switches: []string{switchedCard}}); f.Switch(switchedCard).Relay == host.RelayNo {
		t.Errorf("the facts know without a try that the switch %s", f.Switch(switchedCard))
	}
	found, err := prober.ProbeRelay(t.Context(), switchedCard)
	if err != nil || found != host.RelayNo {
		t.Errorf("a switch that is not asked reflects %s, error %v, want %s", found, err, host.RelayNo)
	}
	x.do(host.AddBridge{Link: "br0", MAC: host.MAC{2, 0, 0, 0, 0, 1}}, host.SetUp{Link: "tap0"}, host.Plug{Link: "tap0", Bridge: "br0"})
	if found, err := prober.ProbeRelay(t.Context(), "tap0"); !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a port of a bridge: %s, error %v, want %v", found, err, errors.ErrUnsupported)
	}
}

// listening is a method of a [host.SwitchWatcher].
type listening = func(ctx context.Context, link string) iter.Seq2[host.Switch, error]

// firstOf listens until the switch says of itself whether it reflects in that way, or anything if that is not known.
func firstOf(ctx context.Context, listen listening, link string, want host.Relay) (said host.Switch, err error) {
	for said, err = range listen(ctx, link) {
		if err != nil || want == host.RelayUnknown || said.Relay == want {
			return said, err
		}
	}
	return said, ctx.Err()
}
