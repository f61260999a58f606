// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
)

// A portsRecord is a network that was started, and what was then asked of it, in this order.
type portsRecord struct {
	ID, Network string
	Started     bool
	Live        string
	Error       any // for people
	Ports       []struct {
		Request string
		Accept  bool
		Result  string
		Error   any // for people
	}
}

// TestPorts asks for the ports of ports.jsonl from a manager that does as libvirt does.
func TestPorts(t *testing.T) {
	c := tally{t: t, name: "ports", kind: "requests"}
	for _, r := range recorded[portsRecord](t, "ports.jsonl") {
		r.replay(t, &c)
	}
	c.report()
}

// replay starts the network and asks for its ports.
func (r *portsRecord) replay(t *testing.T, c *tally) {
	nets, name, err := startCompat(t, r.Network)
	if (err == nil) != r.Started {
		t.Errorf("%s: started: expected %v (%v), got %v\n%s", r.ID, r.Started, r.Error, err, r.Network)
	}
	if err != nil {
		for i := range r.Ports {
			c.note(fmt.Sprintf("%s, port %d", r.ID, i), "the network does not run")
		}
		return
	}
	for i, p := range r.Ports {
		want := verdict{text: p.Result}
		if !p.Accept {
			want = verdict{wrong: fmt.Sprint(p.Error)}
		}
		got, err := judge(p.Request, func(text string) (*network.Port, error) { return createPort(t, nets, name, text) })
		require.NoError(t, err)
		c.note(fmt.Sprintf("%s, port %d", r.ID, i), disagree(p.Request, want, got, madeForPort))
	}
	if r.Live == "" {
		return
	}
	s, err := nets.Lookup(t.Context(), name)
	require.NoError(t, err)
	got, err := judge("", func(string) (*network.Network, error) { return s.Live, nil })
	require.NoError(t, err)
	if differ := disagree(r.Network, verdict{text: r.Live}, got, madeForNetwork); differ != "" {
		t.Errorf("%s: live document: %s", r.ID, differ)
	}
}

// startCompat starts a network on a machine of its own that has all that the document names.
func startCompat(t *testing.T, text string) (nets *network.Manager, name string, err error) {
	t.Helper()
	n, err := readNetwork(text)
	if err != nil {
		return nil, "", err
	}
	m := hosttest.New("eth0")
	if n.HostBridge() {
		bridge := host.AddBridge{Link: n.Bridge.Name, MAC: host.MAC{2, 0, 0, 0, 1, 1}}
		require.NoError(t, m.Do(t.Context(), bridge))
	}
	if f := n.Forward; f != nil {
		names := map[string]bool{f.Dev: true}
		for i := range f.Interfaces {
			names[f.Interfaces[i].Dev.String()] = true
		}
		for dev := range names {
			if dev != "" && dev != "eth0" {
				require.NoError(t, m.AddLink(dev))
			}
		}
	}
	nets, err = network.Config{Rules: compat}.Open(t.Context(), m, network.Memory())
	require.NoError(t, err)
	return nets, n.Name, nets.Create(t.Context(), n)
}

func createPort(t *testing.T, nets *network.Manager, name, text string) (*network.Port, error) {
	p, err := network.Reader{Compat: true}.ParsePort(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	s, err := nets.CreatePort(t.Context(), network.PortRequest{Network: name, Port: p})
	if err != nil {
		return nil, err
	}
	s.Port.Normalize()
	return s.Port, nil
}

// madeForPort removes the values of the identities that libvirt makes up for a port. That there is such a value has to
// agree.
func madeForPort(in, document *tree) {
	profile := document.child("virtualport").child("parameters")
	for _, id := range []string{"instanceid", "interfaceid"} {
		if in.child("virtualport").profile().attr(id) == "" && profile.attr(id) != "" {
			profile.set(id, "made up")
		}
	}
}
