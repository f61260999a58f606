// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
)

// find takes a frame with that payload, nil if there is none yet.
func (i *inbox) find(payload string) []byte {
	i.count("\x00no payload") // takes what has come
	for n, frame := range i.held {
		if bytes.HasSuffix(frame, []byte(payload)) {
			i.held = append(i.held[:n:n], i.held[n+1:]...)
			return frame
		}
	}
	return nil
}

// tagged is a frame in a VLAN.
func tagged(frame []byte, vlan byte) []byte {
	return bytes.Join([][]byte{frame[:12], {0x81, 0, 0, vlan}, frame[12:]}, nil)
}

// TestMacvtapParents has guests on bonds and VLAN devices, in a mode with others and alone. What is in a VLAN has
// its tag on the wire, and none for the guest. A bond goes on by its other card.
func TestMacvtapParents(t *testing.T) {
	t.Parallel()
	const bond = "link add bond0 type bond mode active-backup miimon 50, link set card down, link set card2 down, link set card master bond0, link set card2 master bond0, link set bond0 up"
	for name, c := range map[string]struct {
		commands, parent string
		vlan             byte
	}{
		"VLAN":           {"link add link card name card.42 type vlan id 42", "card.42", 42},
		"bond":           {bond, "bond0", 0},
		"VLAN on a bond": {bond + ", link add link bond0 name bond0.7 type vlan id 7", "bond0.7", 7},
	} {
		for _, mode := range []string{"bridge", host.Passthru} {
			t.Run(name+" "+mode, func(t *testing.T) {
				l := newLAN(t, false)
				for command := range strings.SplitSeq(c.commands, ", ") {
					if out, err := l.host.Command(t.Context(), "ip", strings.Fields(command)...).CombinedOutput(); err != nil {
						testenv.Lack(t, "the kernel cannot make a %s: ip %s: %s", name, command, out)
					}
				}
				l.host.Output(t, "ip", "link", "set", c.parent, "up")
				o := host.AddMacvtap{Link: "mv0", Lower: c.parent, Mode: mode, MAC: guestA}
				was := macOf(t, l.b, c.parent)
				if mode == host.Passthru {
					o.Was = was
				}
				do(t, l.b, o, host.SetUp{Link: o.Link})
				file := openMacvtap(t, l.b, o, 1)[0]
				in := newInbox(file)
				exchange := func(text string) {
					t.Helper()
					onWire, atGuest := frameTo(stationMAC, guestA, text), frameTo(guestA, stationMAC, text)
					if c.vlan != 0 {
						onWire = tagged(onWire, c.vlan)
					}
					testenv.WaitFor(t, 20*time.Second, "what the guest sends", func() bool {
						_, err := file.Write(frameTo(stationMAC, guestA, text))
						require.NoError(t, err)
						frame := l.seen.find(text)
						if frame != nil {
							require.Equal(t, onWire, frame)
						}
						return frame != nil
					})
					testenv.WaitFor(t, 20*time.Second, "what the station sends", func() bool {
						frame := atGuest
						if c.vlan != 0 {
							frame = tagged(atGuest, c.vlan)
						}
						_, err := l.station.Write(frame)
						require.NoError(t, err)
						got := in.find(text)
						if got != nil {
							require.Equal(t, atGuest, got)
						}
						return got != nil
					})
				}
				exchange("first")
				if strings.HasPrefix(c.commands, bond) {
					l.host.Output(t, "ip", "link", "set", "card", "down")
					exchange("by the other card")
					l.host.Output(t, "ip", "link", "set", "card", "up")
				}
				do(t, l.b, o.Inverse())
				require.Equal(t, was, macOf(t, l.b, c.parent), "its own address")
			})
		}
	}
}
