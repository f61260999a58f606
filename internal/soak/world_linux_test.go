// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/linux"
	"github.com/go-virtnet/virtnet/network/serve"
)

// A world is a host with networks, and a container beside it. It is told to programs that work in it.
type world struct {
	// Host and Container are the files of their namespaces. What stays has its files in Folder, what runs in Run.
	Host, Container, Folder string
	// InProcess has servers in the program, and not dnsmasq.
	InProcess bool
	// Networks are so many: the first have DHCP and change while they run, the last have it too, and are stopped and started.
	Networks int
}

const (
	serving   = 4
	restarted = 2
)

// newWorld makes one of so many networks.
func newWorld(t *testing.T, inProcess bool, networks int) (w world, host, container *testenv.Namespace) {
	t.Helper()
	host, container = testenv.New(t), testenv.New(t)
	container.SetSysctl(t, "net/ipv6/conf/default/disable_ipv6", "1")
	w = world{Host: host.Path(), Container: container.Path(), Folder: t.TempDir(), InProcess: inProcess, Networks: networks}
	for folder := w.Folder; strings.HasPrefix(folder, os.TempDir()+"/"); folder = filepath.Dir(folder) {
		require.NoError(t, os.Chmod(folder, 0o711)) // servers read there that are not root
	}
	return w, host, container
}

func (w world) runDir() string { return filepath.Join(w.Folder, "run") }

// store is where the state is: the records of what runs are in memory.
func (w world) store() network.Store {
	return network.Dirs(filepath.Join(w.Folder, "state"), "/run/soak/"+filepath.Base(filepath.Dir(w.Folder)))
}

// open opens the host as the next program would.
func (w world) open(ctx context.Context) (*linux.Backend, *network.Manager, error) {
	config := linux.Config{Namespace: w.Host, RunDir: w.runDir()}
	if w.InProcess {
		config.Engine = &serve.Engine{}
	}
	backend, err := linux.Open(config)
	if err != nil {
		return nil, nil, err
	}
	nets, err := network.Open(ctx, backend, w.store())
	if err != nil {
		return nil, nil, errors.Join(err, backend.Close())
	}
	return backend, nets, nil
}

// defineAll defines and starts all networks.
func (w world) defineAll(ctx context.Context, nets *network.Manager) error {
	for i := range w.Networks {
		n, err := w.document(i, 0)
		if err == nil {
			err = nets.Define(ctx, n)
		}
		if err == nil {
			err = nets.Start(ctx, n.Name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// removeAll takes away what is there.
func (w world) removeAll(ctx context.Context, nets *network.Manager) error {
	for i := range w.Networks {
		name := nameOf(i)
		for p, err := range nets.Ports(ctx, name) {
			if err == nil {
				err = nets.DeletePort(ctx, name, p.Port.UUID)
			}
			if err != nil {
				return err
			}
		}
		if err := nets.Stop(ctx, name); err != nil && !errors.Is(err, network.ErrInactive) {
			return err
		}
		if err := nets.Undefine(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func nameOf(network int) string { return fmt.Sprint("net", network) }

// restarts reports whether a network is one of those that are stopped and started.
func (w world) restarts(network int) bool { return network >= w.Networks-restarted }

func (w world) serves(network int) bool { return network < serving || w.restarts(network) }

// document is a network as its server was told for the version-th time. Every other time it is told names only, which it reads
// while it goes on.
func (w world) document(i, version int) (*network.Network, error) {
	dns, dhcp, quick := "<dns enable='no'/>", "", ""
	if w.serves(i) {
		dns = fmt.Sprintf(`<dns><txt name='version' value='%d'/><host ip='10.50.%d.%d'><hostname>some</hostname></host></dns>`, version/2, i, 201+version%50)
		dhcp = fmt.Sprintf("<dhcp><range start='10.50.%d.10' end='10.50.%[1]d.200'><lease expiry='12' unit='hours'/></range></dhcp>", i)
		quick = "<d:options xmlns:d='http://libvirt.org/schemas/network/dnsmasq/1.0'><d:option value='no-ping'/></d:options>" // else it waits whether an address is taken
	}
	return network.Parse(strings.NewReader(fmt.Sprintf(`<network><name>%s</name><forward mode='nat'/><bridge name='sb%d' stp='off'/>
<mac address='52:54:00:50:00:%02[2]x'/>%s<bandwidth><inbound average='100000'/><outbound average='100000'/></bandwidth>
<portgroup name='usual'/><portgroup name='slow'><bandwidth><outbound average='500'/></bandwidth></portgroup><ip address='10.50.%[2]d.1' prefix='24'>%[4]s</ip>%[5]s</network>`,
		nameOf(i), i, dns, dhcp, quick)))
}

// left are the files of what runs and of what was being written.
func (w world) left(ctx context.Context) ([]string, error) {
	var left []string
	for _, folder := range []string{"networks", "run/networks", "run/ports", "leases"} {
		names, err := w.store().List(ctx, folder)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			left = append(left, folder+"/"+name)
		}
	}
	run, err := os.ReadDir(w.runDir())
	for _, entry := range run {
		left = append(left, "servers/"+entry.Name())
	}
	return left, err
}
