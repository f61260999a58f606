// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
)

// updaterEnv makes this test binary a program that makes one network of another for ever: its order is "namespace folder
// documents", the documents being turns or renamed.
const updaterEnv = "VIRTNET_TEST_UPDATER"

// The two documents of a network that is updated from one to the other: nearly everything differs.
var turns = []string{
	`<network><name>net0</name><forward mode='nat'/><bridge name='br0' stp='off'/><mac address='52:54:00:00:00:01'/>
<ip address='10.9.0.1' prefix='24'><dhcp><range start='10.9.0.100' end='10.9.0.199'/></dhcp></ip></network>`,
	`<network><name>net0</name><forward mode='route' dev='eth0'/><bridge name='br0' stp='off' delay='3'/><mac address='52:54:00:00:00:02'/><mtu size='1400'/>
<dns><txt name='a' value='1'/></dns><ip address='10.9.1.1' prefix='24'/>
<ip address='10.9.0.2' prefix='24'><dhcp><range start='10.9.0.100' end='10.9.0.199'/><host mac='52:54:00:00:00:09' name='web' ip='10.9.0.9'/></dhcp></ip>
<route address='10.88.0.0' prefix='16' gateway='10.9.1.9'/></network>`,
}

// The two documents of a network in which a name goes from one address to another.
var renamed = []string{
	`<network><name>net0</name><bridge name='br0' stp='off'/><mac address='52:54:00:00:00:01'/>
<dns><host ip='10.9.0.60'><hostname>it.example</hostname></host></dns><ip address='10.9.0.1' prefix='24'/></network>`,
	`<network><name>net0</name><bridge name='br0' stp='off'/><mac address='52:54:00:00:00:01'/>
<dns><host ip='10.9.0.61'><hostname>it.example</hostname></host></dns><ip address='10.9.0.1' prefix='24'/></network>`,
}

func updater(order string) error {
	var namespace, folder, which string
	if _, err := fmt.Sscan(order, &namespace, &folder, &which); err != nil {
		return err
	}
	documents := turns
	if which == "renamed" {
		documents = renamed
	}
	ctx := context.Background()
	b, err := linux.Open(linux.Config{Namespace: namespace, RunDir: filepath.Join(folder, "run")})
	if err != nil {
		return err
	}
	nets, err := network.Open(ctx, b, network.Dir(filepath.Join(folder, "state")))
	if err != nil {
		return err
	}
	for i := 1; ; i++ {
		n, err := network.Parse(strings.NewReader(documents[i%2]))
		if err != nil {
			return err
		}
		if _, err := nets.Update(ctx, "net0", network.UpdateRequest{Document: n, Live: true, Config: true, Disruptive: true}); err != nil {
			return err
		}
	}
}

// TestUpdateKilled kills a program that updates a network at moments that chance chooses: whoever opens the folder next finds
// one of the two networks, live and in the definition, whole and with its lease.
func TestUpdateKilled(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.NeedProgram(t, "dnsmasq")
	w := newKillWorld(t, "")
	ctx := context.Background()
	b, nets := w.open("between updates")
	n, err := network.Parse(strings.NewReader(turns[0]))
	require.NoError(t, err)
	require.NoError(t, nets.Define(ctx, n))
	require.NoError(t, nets.Start(ctx, "net0"))
	s, err := nets.Lookup(ctx, "net0")
	require.NoError(t, err)
	giveLease(t, b, s)
	require.NoError(t, b.Close())

	w.killUpdaters("turns", 0, 120*time.Millisecond, func(after time.Duration) string {
		b, nets := w.open("between updates")
		s, err := nets.Lookup(ctx, "net0")
		require.NoError(t, err)
		require.True(t, s.Active())
		require.Equal(t, s.Definition.MAC.Address, s.Live.MAC.Address, "killed after %s: live and the definition differ", after)
		drift, err := nets.Plan(ctx, "net0")
		require.NoError(t, err)
		require.Empty(t, drift, "killed after %s", after)
		for _, step := range s.Built {
			if serve, ok := step.Op.(host.Serve); ok {
				leases, err := b.Leases(ctx, serve.Server.Name)
				require.NoError(t, err)
				require.Len(t, leases, 1, "killed after %s", after)
			}
		}
		require.NoError(t, b.Close())
		return s.Live.MAC.Address.String()
	})
	b, nets = w.open("between updates")
	require.NoError(t, nets.Stop(ctx, "net0"))
	require.NoError(t, b.Close())
	if diff := testenv.Diff(w.before, w.snapshot()); diff != "" {
		t.Fatalf("stopped, the host is not as it was:\n%s", diff)
	}
}

// TestNamesUpdateKilled kills a program that tells a server other names: the server then answers what the live document says.
func TestNamesUpdateKilled(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.NeedProgram(t, "dnsmasq")
	w := newKillWorld(t, "")
	require.NoError(t, os.Chmod(filepath.Dir(w.folder), 0o711))
	require.NoError(t, os.Chmod(filepath.Join(w.folder, "run"), 0o711)) // so that the server can read its files
	ctx := context.Background()
	b, nets := w.open("between updates")
	n, err := network.Parse(strings.NewReader(renamed[0]))
	require.NoError(t, err)
	require.NoError(t, nets.Define(ctx, n))
	require.NoError(t, nets.Start(ctx, "net0"))
	require.NoError(t, b.Close())
	processes := w.ns.Programs(t)

	w.killUpdaters("renamed", 20*time.Millisecond, 80*time.Millisecond, func(after time.Duration) string {
		b, nets := w.open("between updates")
		s, err := nets.Lookup(ctx, "net0")
		require.NoError(t, err)
		want := s.Live.DNS.Hosts[0].IP.String()
		require.Equal(t, []string{want}, askAddr4(t, w.ns, "10.9.0.1", "it.example."), "killed after %s", after)
		drift, err := nets.Plan(ctx, "net0")
		require.NoError(t, err)
		require.Empty(t, drift, "killed after %s", after)
		require.Equal(t, processes, w.ns.Programs(t), "killed after %s", after)
		require.NoError(t, b.Close())
		return want
	})
	b, nets = w.open("between updates")
	require.NoError(t, nets.Stop(ctx, "net0"))
	require.NoError(t, b.Close())
}

// killUpdaters runs one program after the other that updates a network, and kills each when it is least old, and up to span more,
// as chance has it. After each one look says which of the two documents it finds: both must have been found in the end. How long an
// update takes depends on what else the machine does, so after half of the rounds with one outcome the programs live longer.
func (w *killWorld) killUpdaters(what string, least, span time.Duration, look func(after time.Duration) string) {
	w.t.Helper()
	rounds := 30
	if testing.Short() {
		rounds = 5
	}
	found := map[string]int{}
	chance := rand.New(rand.NewPCG(3, 4))
	for round := 0; round < rounds || len(found) < 2 && span < 8*time.Second; round++ {
		if round >= rounds/2 && len(found) < 2 {
			span += span / 4
		}
		after := least + time.Duration(chance.Int64N(int64(span)))
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), updaterEnv+"="+w.ns.Path()+" "+w.folder+" "+what)
		var out strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &out
		require.NoError(w.t, cmd.Start())
		timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		timer.Stop()
		w.requireKilled(err, []byte(out.String()))
		found[look(after)]++
	}
	w.t.Log(found)
	require.Len(w.t, found, 2, "killed before and behind updates")
}

// giveLease starts the server of a network again with a lease.
func giveLease(t *testing.T, b *linux.Backend, s *network.Status) {
	t.Helper()
	for _, step := range s.Built {
		if serve, ok := step.Op.(host.Serve); ok {
			do(t, b, serve.Inverse())
			serve.Leases = []host.Lease{{Addr: netip.MustParseAddr("10.9.0.150"), MAC: host.MAC{2, 0, 0, 0, 0, 7}, Hostname: "seven", Expires: time.Now().Add(time.Hour)}}
			do(t, b, serve)
		}
	}
}
