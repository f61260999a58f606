// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/qos"
)

// A witness sees what is asked of the host and of the store, and what is done to them.
type witness struct {
	host.Backend
	network.Store
	seen []string
}

func (w *witness) see(format string, args ...any) {
	w.seen = append(w.seen, fmt.Sprintf(format, args...))
}

func (w *witness) Facts(ctx context.Context, scope host.Scope) (*host.Facts, error) {
	w.see("facts %+v", scope)
	return w.Backend.Facts(ctx, scope)
}

func (w *witness) Do(ctx context.Context, op host.Op) error {
	w.see("do %s", op)
	return w.Backend.Do(ctx, op)
}

func (w *witness) Load(ctx context.Context, name string) ([]byte, error) {
	w.see("load %s", name)
	return w.Store.Load(ctx, name)
}

func (w *witness) Save(ctx context.Context, name string, data []byte) error {
	w.see("save %s", name)
	return w.Store.Save(ctx, name, data)
}

func (w *witness) List(ctx context.Context, folder string) ([]string, error) {
	w.see("list %s", folder)
	return w.Store.List(ctx, folder)
}

// TestChangeTouchesThatAlone: what is asked and done to change one thing of a network is the same with few ports and with many.
func TestChangeTouchesThatAlone(t *testing.T) {
	document := func(average int) *network.Network {
		return parse(t, fmt.Sprintf(`<network><name>net1</name><uuid>e7db3b93-009d-48d2-a242-09296d4a1c00</uuid><forward/><bridge name='br1' stp='off'/><mac address='52:54:00:00:00:01'/>
<bandwidth><inbound average='%d'/></bandwidth><ip address='10.9.0.1' prefix='16'><dhcp><range start='10.9.0.2' end='10.9.9.99'/></dhcp></ip><portgroup name='office'/></network>`, average))
	}
	update := func(section network.Section, command network.Command, text string) network.UpdateRequest {
		return network.UpdateRequest{Live: true, Updates: []network.Update{{Section: section, Command: command, XML: text}}}
	}
	id := func(i int) schema.UUID {
		id, err := schema.ParseUUID(fmt.Sprintf("e7db3b93-009d-48d2-a242-09296d4a%04x", i))
		require.NoError(t, err)
		return id
	}
	guest := func(i int, average uint64) network.PortRequest {
		req := guestOn("net1")
		req.Port = &network.Port{
			UUID: id(i), Owner: &network.Owner{Name: "web"}, Group: "office",
			MAC:       &network.MAC{Address: schema.MAC{0x52, 0x54, 0, 1, 0, byte(i)}},
			Bandwidth: &qos.Bandwidth{Inbound: &qos.Rate{Average: schema.Num(average)}},
		}
		return req
	}
	updated := func(req network.UpdateRequest) func(*network.Manager) error {
		return func(nets *network.Manager) error {
			_, err := nets.Update(t.Context(), "net1", req)
			return err
		}
	}
	for name, change := range map[string]func(*network.Manager) error{
		"DHCP host": updated(update(network.SectionDHCPHost, network.CommandAddLast, "<host mac='52:54:00:00:00:02' ip='10.9.10.1'/>")),
		"portgroup": updated(update(network.SectionPortGroup, network.CommandModify, "<portgroup name='office'><bandwidth><inbound average='7'/></bandwidth></portgroup>")),
		"bandwidth": updated(network.UpdateRequest{Live: true, Document: document(2000)}),
		"bandwidth of a port": func(nets *network.Manager) error {
			_, err := nets.ChangePort(t.Context(), "net1", id(0), guest(0, 2000))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			seen := func(ports int) []string {
				w := &witness{Backend: hosttest.New("eth0"), Store: network.Memory()}
				nets := open(t, w, w)
				require.NoError(t, nets.Define(t.Context(), document(1000)))
				require.NoError(t, nets.Start(t.Context(), "net1"))
				for i := range ports {
					_, err := nets.CreatePort(t.Context(), guest(i, 1000))
					require.NoError(t, err)
				}
				w.seen = nil
				require.NoError(t, change(nets))
				return w.seen
			}
			few := seen(1)
			require.NotEmpty(t, few)
			require.Equal(t, few, seen(50))
		})
	}
}
