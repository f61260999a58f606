// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/internal/lab"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/linux"
)

// TestTenTogether lets ten goroutines use one manager at the same time, each with a network of its own and two guests that
// talk to each other. Nothing stays behind, neither on the host nor in this process.
func TestTenTogether(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.NeedProgram(t, "dnsmasq")
	rounds := 3
	if testing.Short() {
		rounds = 1
	}
	ns := testenv.New(t)
	var guests [10]pair
	for i := range guests {
		guests[i] = pair{container: testenv.New(t).Path(), machine: testenv.New(t).Path()}
	}
	before, descriptors, goroutines := ns.Snapshot(t), countDescriptors(t), runtime.NumGoroutine()

	backend, err := linux.Open(linux.Config{Namespace: ns.Path(), RunDir: filepath.Join(t.TempDir(), "run")})
	require.NoError(t, err)
	store := network.Dir(filepath.Join(t.TempDir(), "state"))
	nets, err := network.Open(t.Context(), backend, store)
	require.NoError(t, err)
	var wg sync.WaitGroup
	errs := make([]error, len(guests))
	for i, p := range guests {
		wg.Go(func() {
			for round := range rounds {
				if err := life(t.Context(), nets, i, p); err != nil {
					errs[i] = fmt.Errorf("network %d, round %d: %w", i, round, err)
					return
				}
			}
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	for s, err := range nets.All(t.Context()) {
		require.NoError(t, err)
		t.Errorf("network %s is left", s.Name)
	}
	for _, folder := range []string{"networks", "run/networks", "run/ports", "leases", "autostart"} {
		names, err := store.List(t.Context(), folder)
		require.NoError(t, err)
		require.Empty(t, names, folder)
	}
	require.Empty(t, ns.Programs(t))
	ns.Unchanged(t, before, "in the end")

	require.NoError(t, backend.Close())
	require.Equal(t, descriptors, countDescriptors(t), "open files")
	testenv.WaitFor(t, 10*time.Second, "as few goroutines as before", func() bool { return runtime.NumGoroutine() <= goroutines })
	home, err := os.Readlink("/proc/self/ns/net")
	require.NoError(t, err)
	threads, err := filepath.Glob("/proc/self/task/*/ns/net")
	require.NoError(t, err)
	for _, thread := range threads {
		if there, err := os.Readlink(thread); err == nil {
			require.Equal(t, home, there, "a thread was left in another namespace")
		}
	}
}

func countDescriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(entries)
}

// A pair is the namespaces of a container and of what stands in for a virtual machine.
type pair struct{ container, machine string }

// life is all that a network goes through: it is defined, started, used by two guests that talk to each other, stopped and
// forgotten.
func life(ctx context.Context, nets *network.Manager, i int, guests pair) (err error) {
	name := fmt.Sprintf("net%d", i)
	n, err := network.Parse(strings.NewReader(fmt.Sprintf(`<network><name>%s</name><forward mode='nat'/><bridge stp='off'/>
<ip address='10.88.%d.1' prefix='24'><dhcp><range start='10.88.%[2]d.100' end='10.88.%[2]d.199'/></dhcp></ip></network>`, name, i)))
	if err != nil {
		return err
	}
	if err := nets.Define(ctx, n); err != nil {
		return err
	}
	if err := nets.Start(ctx, name); err != nil {
		return err
	}
	nic, err := domainiface.Parse(strings.NewReader(`<interface type='network'><source network='` + name + `'/></interface>`))
	if err != nil {
		return err
	}
	container, err := domainiface.Attach(ctx, nets, domainiface.Guest{Name: "container", Namespace: guests.container}, nic)
	if err != nil {
		return err
	}
	machine, err := domainiface.Attach(ctx, nets, domainiface.Guest{Name: "machine"}, nic)
	if err != nil {
		return err
	}
	if err := talk(ctx, i, guests, machine); err != nil {
		return err
	}
	for _, port := range []*domainiface.Port{machine, container} {
		if err := port.Detach(ctx); err != nil {
			return err
		}
	}
	if err := nets.Stop(ctx, name); err != nil {
		return err
	}
	return nets.Undefine(ctx, name)
}

// talk boots the machine and sends a packet to the container and to the host, which have to answer.
func talk(ctx context.Context, i int, guests pair, port *domainiface.Port) error {
	files, err := port.Open(ctx, 1)
	if err != nil {
		return err
	}
	monitor, err := lab.Boot(guests.machine, "eth0", net.HardwareAddr(port.MAC[:]), files[0])
	if err != nil {
		return errors.Join(err, files[0].Close())
	}
	err = lab.Enter(guests.container, func() error {
		return errors.Join(
			lab.IP(ctx, "addr", "add", fmt.Sprintf("10.88.%d.100/24", i), "dev", "eth0"),
			lab.IP(ctx, "link", "set", "eth0", "up"),
		)
	})
	if err == nil {
		err = lab.Enter(guests.machine, func() error {
			return lab.IP(ctx, "addr", "add", fmt.Sprintf("10.88.%d.50/24", i), "dev", "eth0")
		})
	}
	for _, host := range []byte{100, 1} {
		if err == nil {
			err = lab.Probe(ctx, guests.machine, lab.ICMP, netip.AddrFrom4([4]byte{10, 88, byte(i), host}))
		}
	}
	return errors.Join(err, monitor.Close(), files[0].Close())
}
