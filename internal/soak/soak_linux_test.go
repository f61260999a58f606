// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/linux"
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/qos"
)

var (
	long  = flag.Duration("soak", 5*time.Second, "how long the soak lasts")
	ports = flag.Int("ports", 160, "how many ports there are at most")
)

func TestMain(m *testing.M) { os.Exit(testenv.Alone(m)) }

const (
	workers  = 16
	networks = 20
	serving  = 4 // of them have DHCP
)

// A soak is a host with its networks, on which workers attach, change and detach guests.
type soak struct {
	nets      *network.Manager
	container *testenv.Namespace
	end       time.Time

	mu   sync.Mutex
	done map[string]int
}

// TestSoak attaches guests to networks, changes them and takes them away, by many at once, at random. Nobody gets an error, what is there stands
// whole whenever somebody looks, and in the end the host is as it was.
func TestSoak(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.NeedProgram(t, "dnsmasq")
	host, container := testenv.New(t), testenv.New(t)
	container.SetSysctl(t, "net/ipv6/conf/default/disable_ipv6", "1")
	folder := t.TempDir()
	require.NoError(t, os.Chmod(folder, 0o711))
	before, goroutines, open := host.Snapshot(t), runtime.NumGoroutine(), descriptors(t)
	backend, err := linux.Open(linux.Config{Namespace: host.Path(), RunDir: filepath.Join(folder, "run")})
	require.NoError(t, err)
	defer backend.Close() // twice is no error
	store := network.Dirs(filepath.Join(folder, "state"), "/run/soak")
	nets, err := network.Open(t.Context(), backend, store)
	require.NoError(t, err)
	s := &soak{nets: nets, container: container, end: time.Now().Add(*long), done: map[string]int{}}
	for i := range networks {
		n, err := network.Parse(strings.NewReader(document(i)))
		require.NoError(t, err)
		require.NoError(t, nets.Define(t.Context(), n))
		require.NoError(t, nets.Start(t.Context(), n.Name))
	}
	var wg sync.WaitGroup
	errs := make([]error, workers)
	for i := range workers {
		wg.Go(func() { errs[i] = s.work(t.Context(), i) })
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	t.Log(s.done)
	for _, what := range []string{"attach", "shape", "detach", "check", "name"} {
		require.Positive(t, s.done[what], "%s was never done", what)
	}
	drift, err := nets.Check(t.Context())
	require.NoError(t, err)
	require.Empty(t, drift)

	for i := range networks {
		name := fmt.Sprint("net", i)
		for p, err := range nets.Ports(t.Context(), name) {
			require.NoError(t, err)
			require.NoError(t, nets.DeletePort(t.Context(), name, p.Port.UUID))
		}
		require.NoError(t, nets.Stop(t.Context(), name))
		require.NoError(t, nets.Undefine(t.Context(), name))
	}
	host.Unchanged(t, before, "after the soak")
	for _, folder := range []string{"networks", "run/networks", "run/ports", "leases"} {
		names, err := store.List(t.Context(), folder)
		require.NoError(t, err)
		require.Empty(t, names, folder)
	}
	require.NoError(t, backend.Close())
	testenv.WaitFor(t, 20*time.Second, "as many goroutines and descriptors as before", func() bool {
		return runtime.NumGoroutine() <= goroutines && descriptors(t) <= open
	})
}

func document(i int) string {
	dhcp := ""
	if i < serving {
		dhcp = fmt.Sprintf("<dhcp><range start='10.50.%d.10' end='10.50.%[1]d.200'/></dhcp>", i)
	}
	dns := ""
	if dhcp == "" {
		dns = "<dns enable='no'/>"
	}
	return fmt.Sprintf(`<network><name>net%d</name><forward mode='nat'/><bridge name='sb%[1]d' stp='off'/>%s
<bandwidth><inbound average='100000'/><outbound average='100000'/></bandwidth>
<ip address='10.50.%[1]d.1' prefix='24'>%[3]s</ip></network>`, i, dns, dhcp)
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(entries)
}

// work does one thing after the other until the end, with guests of its own.
func (s *soak) work(ctx context.Context, worker int) error {
	chance := rand.New(rand.NewPCG(7, uint64(worker)))
	var mine []*domainiface.Port
	for made := 0; time.Now().Before(s.end); {
		what, err := "", error(nil)
		switch at := chance.IntN(10); {
		case at < 4 && len(mine) < *ports/workers:
			what = "attach"
			var p *domainiface.Port
			if p, err = s.attach(ctx, worker, made, chance); err == nil {
				mine = append(mine, p)
			}
			made++
		case at < 6 && len(mine) > 0:
			what = "shape"
			err = mine[chance.IntN(len(mine))].SetBandwidth(ctx, &qos.Rate{Average: schema.Num(uint64(100 + chance.IntN(1000)))}, nil)
		case at < 8 && len(mine) > 0:
			what = "detach"
			i := chance.IntN(len(mine))
			err = mine[i].Detach(ctx)
			mine[i] = mine[len(mine)-1]
			mine = mine[:len(mine)-1]
		case at == 8:
			what = "check"
			err = s.check(ctx, fmt.Sprint("net", chance.IntN(networks)))
		case at == 9 && worker < serving:
			what = "name"
			err = s.name(ctx, worker, chance)
		}
		if err != nil {
			return fmt.Errorf("worker %d: %s: %w", worker, what, err)
		}
		if what == "" {
			continue
		}
		s.mu.Lock()
		s.done[what]++
		s.mu.Unlock()
	}
	return nil
}

// attach puts a guest of one kind or the other on a network.
func (s *soak) attach(ctx context.Context, worker, made int, chance *rand.Rand) (*domainiface.Port, error) {
	name := fmt.Sprintf("w%dg%d", worker, made)
	guest, inside := domainiface.Guest{Name: name}, ""
	if chance.IntN(3) == 0 {
		guest.Namespace, inside = s.container.Path(), fmt.Sprintf("<guest dev='%s'/>", name)
	}
	i, err := domainiface.Parse(strings.NewReader(fmt.Sprintf(`<interface type='network'><source network='net%d'/>%s
<bandwidth><inbound average='%d'/></bandwidth></interface>`, chance.IntN(networks), inside, 100+chance.IntN(1000))))
	if err != nil {
		return nil, err
	}
	return domainiface.Attach(ctx, s.nets, guest, i)
}

// check looks at one network and its ports, on which others work meanwhile.
func (s *soak) check(ctx context.Context, name string) error {
	drift, err := s.nets.Repair(ctx, network.RepairRequest{Network: name, DryRun: true})
	if err == nil && len(drift) > 0 {
		err = fmt.Errorf("network %s has drifted: %v", name, drift)
	}
	return err
}

// name gives a network another name server entry while it runs.
func (s *soak) name(ctx context.Context, worker int, chance *rand.Rand) error {
	doc := strings.Replace(document(worker), "<ip ", fmt.Sprintf("<dns><host ip='10.50.%d.%d'><hostname>some</hostname></host></dns><ip ", worker, 201+chance.IntN(50)), 1)
	n, err := network.Parse(strings.NewReader(doc))
	if err == nil {
		_, err = s.nets.Update(ctx, n.Name, network.UpdateRequest{Document: n, Live: true, Config: true, Disruptive: true})
	}
	return err
}
