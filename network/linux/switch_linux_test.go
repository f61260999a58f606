// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"context"
	"io/fs"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/lldp"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
)

// A hearing is somebody who listens to a switch in a goroutine of his own.
type hearing struct {
	t    *testing.T
	said chan host.Switch
	// done gets the error that ended it.
	done   chan error
	cancel func()
}

// listen listens until the test ends.
func listen(t *testing.T, of func(ctx context.Context, link string) iter.Seq2[host.Switch, error], link string) *hearing {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	h := &hearing{t: t, said: make(chan host.Switch, 100), done: make(chan error, 1), cancel: cancel}
	go func() {
		defer close(h.done)
		for s, err := range of(ctx, link) {
			if err != nil {
				h.done <- err
				return
			}
			h.said <- s
		}
	}()
	t.Cleanup(h.leave)
	return h
}

// leave ends it.
func (h *hearing) leave() {
	h.cancel()
	for range h.done {
	}
}

// hears waits until a switch says that.
func (h *hearing) hears(what string, is func(host.Switch) bool) host.Switch {
	h.t.Helper()
	late := time.After(45 * time.Second)
	var last host.Switch
	for {
		select {
		case last = <-h.said:
			if is(last) {
				return last
			}
		case <-late:
			h.t.Fatalf("%s: the last that the switch said is that it %s", what, last)
		}
	}
}

func reflects(want host.Relay) func(host.Switch) bool {
	return func(s host.Switch) bool { return s.Relay == want }
}

// heardAt is what the facts know.
func heardAt(t *testing.T, b *linux.Backend, link string) host.Switch {
	t.Helper()
	f, err := b.Facts(t.Context(), host.Scope{Switches: []string{link}})
	require.NoError(t, err)
	return f.Switch(link)
}

// TestStation asks an lldpad that plays the bridge, which then may no longer reflect, and at last forgets the station.
func TestStation(t *testing.T) {
	needAgent(t)
	t.Parallel()
	b, _, outside := withCard(t)
	a := startAgent(t, outside, "eth0", agentBridge)
	require.Equal(t, host.Switch{Link: "eth0"}, heardAt(t, b, "eth0"))
	heard := listen(t, b.Station, "eth0")
	s := heard.hears("asked", reflects(host.RelayYes))
	require.True(t, s.VDP)
	require.False(t, s.Draft)
	require.Equal(t, macIn(t, outside, "eth0"), s.Chassis)
	require.Equal(t, s, heardAt(t, b, "eth0"))
	testenv.WaitFor(t, 10*time.Second, "what the bridge has heard", func() bool {
		return strings.Contains(a.neighbour("eth0"), "rrreq,rrstat(0x5)") // it asks, and knows that it is heard
	})

	require.NoError(t, a.tool("-T", "-i", "eth0", "-g", "ncb", "-V", "evb", "-c", "evbrrcap=no"))
	heard.hears("after evbrrcap=no", reflects(host.RelayNo))
	require.Equal(t, host.RelayNo, heardAt(t, b, "eth0").Relay)

	heard.leave()
	testenv.WaitFor(t, 10*time.Second, "the bridge forgets the station", func() bool { return !strings.Contains(a.neighbour("eth0"), "EVB") })
}

// TestSwitchesThatAreNotAsked listens to lldpad in the parts that switches can have.
func TestSwitchesThatAreNotAsked(t *testing.T) {
	needAgent(t)
	t.Parallel()
	for _, c := range []struct {
		name, role string
		want       host.Switch
	}{
		{"a bridge", agentBridge, host.Switch{Relay: host.RelayPossible, VDP: true}},
		{"a bridge that cannot reflect", agentPlainBridge, host.Switch{Relay: host.RelayNo, VDP: true}},
		{"a bridge of the draft", agentDraft, host.Switch{Relay: host.RelayYes, VDP: true, Draft: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b, _, outside := withCard(t)
			heard := listen(t, b.WatchSwitch, "eth0")
			startAgent(t, outside, "eth0", c.role)
			got := heard.hears(c.name, func(s host.Switch) bool { return s.Relay == c.want.Relay })
			c.want.Link, c.want.Chassis, c.want.Port = "eth0", got.Chassis, got.Port
			require.Equal(t, c.want, got)
		})
	}
}

// macIn is the address of a link of a namespace.
func macIn(t *testing.T, ns *testenv.Namespace, link string) string {
	t.Helper()
	fields := strings.Fields(ns.Output(t, "ip", "-br", "link", "show", link))
	require.Greater(t, len(fields), 2)
	return fields[2]
}

// TestSwitchFallsSilent lets what a switch said expire, and be taken back.
func TestSwitchFallsSilent(t *testing.T) {
	testenv.NeedRoot(t)
	t.Parallel()
	b, ns, outside := withCard(t)
	heard := listen(t, b.WatchSwitch, "eth0")
	switched := newPlug(t, outside, "eth0", lldp.EtherType)
	tell := func(u lldp.Unit) {
		u.Chassis, u.Port = lldp.ChassisID{Kind: 7, ID: "rack 4"}, lldp.PortID{Kind: 5, ID: "ge-0/0/1"}
		switched.send(lldp.NearestCustomerBridge, u.Append(nil))
	}
	want := host.Switch{Link: "eth0", Chassis: "rack 4", Port: "ge-0/0/1", Relay: host.RelayYes, VDP: true}
	bridge := &lldp.EVB{Role: lldp.Bridge, RelayCapable: true, RelayActive: true}

	testenv.WaitFor(t, 10*time.Second, "the listener is there", func() bool { // which it is once it hears
		tell(lldp.Unit{TTL: 1, EVB: bridge})
		return len(heard.said) > 0
	})
	require.Equal(t, want, <-heard.said)
	require.Equal(t, host.Switch{Link: "eth0"}, heard.hears("after its second", reflects(host.RelayUnknown)))
	require.Equal(t, host.Switch{Link: "eth0"}, heardAt(t, b, "eth0"))

	tell(lldp.Unit{TTL: 100, EVB: &lldp.EVB{Role: lldp.Station, RelayRequest: true}}) // of which nothing is to be heard
	switched.send(lldp.NearestCustomerBridge, []byte("nonsense"))
	tell(lldp.Unit{TTL: 100, EVB: bridge})
	require.Equal(t, want, heard.hears("again", reflects(host.RelayYes)))
	tell(lldp.Unit{})
	require.Equal(t, host.Switch{Link: "eth0"}, heard.hears("taken back", reflects(host.RelayUnknown)))

	tell(lldp.Unit{TTL: 100})
	plain := want
	plain.Relay, plain.VDP = host.RelayUnknown, false
	require.Equal(t, plain, heard.hears("of something else", reflects(host.RelayUnknown)))

	ns.Output(t, "ip", "link", "set", "eth0", "down")
	ns.Output(t, "ip", "link", "del", "eth0")
	require.Equal(t, host.Switch{Link: "eth0"}, heardAt(t, b, "eth0"))
	require.ErrorIs(t, <-heard.done, fs.ErrNotExist)
}
