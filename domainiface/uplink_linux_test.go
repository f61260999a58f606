// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/testenv"
)

// uplinkKinds are the kinds of device that a network can leave by, or that macvtap devices can stand on, and how each is made
// on a host and at the other end of its wires, eth0 and spare0.
var uplinkKinds = []struct {
	name       string
	link       string
	here, peer []string
}{{
	name: "a VLAN", link: "eth0.42",
	here: []string{"link add link eth0 name eth0.42 type vlan id 42"},
	peer: []string{"link add link eth0 name far type vlan id 42"},
}, {
	name: "a bond", link: "bond0",
	here: []string{
		"link add bond0 type bond mode active-backup miimon 50",
		"link set eth0 down", "link set spare0 down", "link set eth0 master bond0", "link set spare0 master bond0",
	},
	peer: []string{"link add far type bridge", "link set eth0 master far", "link set spare0 master far"},
}, {
	name: "a VLAN on a bond", link: "bond0.42",
	here: []string{
		"link add bond0 type bond mode active-backup miimon 50",
		"link set eth0 down", "link set spare0 down", "link set eth0 master bond0", "link set spare0 master bond0",
		"link set bond0 up", "link add link bond0 name bond0.42 type vlan id 42",
	},
	peer: []string{
		"link add both type bridge", "link set eth0 master both", "link set spare0 master both", "link set both up",
		"link add link both name far type vlan id 42",
	},
}}

// TestKindsOfUplink has a NAT network and a guest on a macvtap device leave the host by each kind of device. The host has
// 198.51.100.1 on it, and the other end 198.51.100.2. A bond goes on when the wire that it uses is cut.
func TestKindsOfUplink(t *testing.T) {
	for i, u := range uplinkKinds {
		t.Run(u.name, func(t *testing.T) {
			w := newWorld(t)
			testenv.Connect(t, w.host, w.outside, "spare0", "spare0")
			for _, command := range u.here {
				if out, err := w.host.Command(t.Context(), "ip", strings.Fields(command)...).CombinedOutput(); err != nil {
					testenv.Lack(t, "the kernel cannot make %s: ip %s: %s", u.name, command, out)
				}
			}
			w.ip(w.outside, "addr flush dev eth0", "link set eth0 down", "link set eth0 up")
			w.ip(w.outside, append(u.peer, "link set far up", "addr add 198.51.100.2/24 dev far")...)
			w.ip(w.host, "link set "+u.link+" up", "addr add 198.51.100.1/24 dev "+u.link)
			reach := func(from *testenv.Namespace, what string) {
				t.Helper()
				testenv.WaitFor(t, 30*time.Second, what, func() bool {
					return from.Command(t.Context(), "ping", "-c", "1", "-W", "1", "198.51.100.2").Run() == nil
				})
			}
			reach(w.host, "the host reaches the other end")

			live := w.start(fmt.Sprintf(`<network><name>nat</name><forward mode='nat' dev='%s'/><bridge name='br-nat' stp='off'/>
				<ip address='10.88.%d.1' prefix='24'/></network>`, u.link, i))
			guest := w.attach("guest", `<interface type='network'><source network='nat'/></interface>`)
			w.configure(guest, live)
			reach(guest.Namespace, "a guest reaches the other end")
			// Nothing else is a way out.
			w.ip(w.host, "link add other type veth peer name others", "link set other up", "link set others up", "addr add 192.0.2.1/24 dev other")
			require.Error(t, guest.Command(t.Context(), "ping", "-c", "1", "-W", "1", "192.0.2.2").Run())
			if strings.HasPrefix(u.link, "bond0") {
				w.ip(w.outside, "link set eth0 down")
				reach(guest.Namespace, "a guest reaches the other end when a wire is cut")
			}
		})
	}
}
