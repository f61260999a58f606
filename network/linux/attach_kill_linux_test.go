// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/linux"
)

// attacherEnv makes this test binary a program that attaches a guest to a running network and detaches it, and is killed
// while it does.
const attacherEnv = "VIRTNET_TEST_ATTACHER"

// attacherReady is what the program says before it attaches its first guest.
const attacherReady = "ready"

// An attachment is what such a program is told.
type attachment struct {
	Config linux.Config
	Folder string
	// Container is the namespace of a guest, and empty for one behind a tap.
	Container string
	// Interface is the document of the guest's interface.
	Interface string
	// Discard is that of [network.Config].
	Discard bool
	// Kill is the number of the operation before which the program kills itself; a negative number leaves that to
	// somebody else, and it goes on for ever.
	Kill int64
	// Parent is who is to kill the program.
	Parent int
}

// attacher attaches and detaches a guest.
func attacher(text string) error {
	var a attachment
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		return err
	}
	ctx := context.Background()
	b, err := linux.Open(a.Config)
	if err != nil {
		return err
	}
	nets, err := network.Config{Discard: a.Discard}.Open(ctx, &suicidal{Backend: b, at: a.Kill}, network.Dir(filepath.Join(a.Folder, "state")))
	if err != nil {
		return err
	}
	nic, err := domainiface.Parse(strings.NewReader(a.Interface))
	if err != nil {
		return err
	}
	fmt.Println(attacherReady)
	for os.Getppid() == a.Parent {
		port, err := domainiface.Attach(ctx, nets, domainiface.Guest{Name: "web", Namespace: a.Container}, nic)
		if err != nil {
			return err
		}
		if err := port.Detach(ctx); err != nil {
			return err
		}
		if a.Kill >= 0 {
			return nil
		}
	}
	return errors.New("whoever wanted to kill this program has ended")
}

// TestAttachIsKilled kills a program before each operation of attaching and detaching a guest, and then at moments that
// chance chooses; whoever opens the folder next finds the network whole, and the guest's port whole or gone.
func TestAttachIsKilled(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.NeedProgram(t, "dnsmasq")
	for _, kind := range []string{"tap", "discarded tap", "veth", "bridge", "passthrough", "container bridge", "container passthrough", "ovs", "lldpad", "native"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			least := 4
			if kind == "container bridge" {
				least = 2 // its device is all there is
			}
			newAttachWorld(t, kind).killAttacher(least)
		})
	}
}

// killAttacher kills a program that attaches a guest before each operation, of which there are not less than least, and at
// moments that chance chooses.
func (w *attachWorld) killAttacher(least int) {
	t := w.t
	for at := 0; ; at++ {
		cmd := w.attacher(at)
		out, err := cmd.CombinedOutput()
		if err == nil {
			require.GreaterOrEqual(t, at, least, "attaching and detaching have more operations than that")
			break
		}
		w.requireKilled(err, out)
		w.wholeOrGone(fmt.Sprintf("killed before operation %d", at))
	}
	rounds := 10
	if testing.Short() {
		rounds = 3
	}
	chance := rand.New(rand.NewPCG(5, 6))
	for range rounds {
		after := time.Duration(chance.IntN(100_000)) * time.Microsecond
		cmd := w.attacher(-1)
		var wrong strings.Builder
		cmd.Stderr = &wrong
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		w.endsWithTheTest(cmd)
		said, err := bufio.NewReader(out).ReadString('\n')
		require.Equal(t, attacherReady+"\n", said, "%v: %s", err, &wrong)
		timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		err = cmd.Wait()
		timer.Stop()
		w.requireKilled(err, []byte(wrong.String()))
		w.wholeOrGone(fmt.Sprintf("killed after %s", after))
	}
	w.clearUp("in the end")
}

// An attachWorld is a host with a running network, on which programs are killed.
type attachWorld struct {
	*killWorld
	container         *testenv.Namespace
	discard           bool
	path              string
	document          string
	sw                *testenv.OpenVSwitch // nil for most
	at                *associating         // nil for most
	running, bystands string
}

// An associating is a switch that guests are associated with, and who tells it.
type associating struct {
	teller          linux.Agent
	station, bridge *agent
}

// networkCard is what the guests of the kinds bridge and passthrough are attached to.
const networkCard = "card"

func newAttachWorld(t *testing.T, kind string) *attachWorld {
	w := &attachWorld{
		killWorld: newKillWorld(t, ""), container: testenv.New(t), document: `<interface type='network'><source network='net0'/></interface>`,
	}
	if mode, ok := strings.CutPrefix(kind, "container "); ok {
		w.path, kind = w.container.Path(), mode
	}
	switch kind {
	case "discarded tap":
		w.discard = true
	case "veth":
		w.path = w.container.Path()
	case "ovs":
		w.sw = testenv.NewOpenVSwitch(t, w.ns)
		w.sw.Start(t)
		w.sw.AddBridges(t, "ovs0")
		w.document = `<interface type='bridge'><source bridge='ovs0'/><virtualport type='openvswitch'/><vlan><tag id='10'/></vlan>
<bandwidth><inbound average='1000'/></bandwidth></interface>`
		w.before = w.killWorld.snapshot()
	case "lldpad", "native":
		w.atSwitch(tellers[kind])
		w.before = w.killWorld.snapshot()
	case "bridge", "passthrough":
		w.document = `<interface type='direct'><source dev='` + networkCard + `' mode='` + kind + `'/></interface>`
		w.ns.Output(t, "ip", "link", "add", networkCard, "type", "veth", "peer", "name", "wire")
		for _, link := range []string{networkCard, "wire"} {
			w.ns.SetSysctl(t, "net/ipv6/conf/"+link+"/disable_ipv6", "1")
		}
		w.ns.Output(t, "ip", "link", "set", "wire", "up")
		w.ns.Output(t, "ip", "link", "set", networkCard, "up")
		if kind == "passthrough" { // the others leave it on
			w.ns.Output(t, "ip", "link", "set", networkCard, "down")
		}
		w.before = w.snapshot()
	case "function", "function below", "fixed function below":
		c := needCard(t, w.ns, 1)
		if kind == "fixed function below" {
			c.fix(0, guestB)
		}
		c.up(c.function(0))
		w.document = c.hostdev(0, "<vlan><tag id='42'/></vlan>")
		if kind != "function" {
			w.document = `<interface type='direct'><source dev='` + c.function(0) + `' mode='passthrough'/><vlan><tag id='42'/></vlan></interface>`
		}
		w.before = w.snapshot()
	}
	ctx := context.Background()
	b, err := linux.Open(w.config())
	require.NoError(t, err)
	defer b.Close()
	nets, err := network.Open(ctx, b, network.Dir(filepath.Join(w.folder, "state")))
	require.NoError(t, err)
	n, err := network.Parse(strings.NewReader(sharedNetwork(0)))
	require.NoError(t, err)
	require.NoError(t, nets.Create(ctx, n))
	w.running, w.bystands = w.snapshot(), w.container.Snapshot(t)
	return w
}

func (w *attachWorld) config() linux.Config {
	c := linux.Config{Namespace: w.ns.Path(), RunDir: filepath.Join(w.folder, "run")}
	if w.sw != nil {
		c.OVSDB = w.sw.Socket
	}
	if w.at != nil {
		c.Agent, c.AgentPID = w.at.teller, w.at.station.pid
	}
	return c
}

// snapshot has what is in the database of Open vSwitch besides, and which guests the switch knows.
func (w *attachWorld) snapshot() string {
	text := w.killWorld.snapshot()
	if w.sw != nil {
		text += ovsDump(w.t, w.sw)
	}
	if w.at != nil {
		text += fmt.Sprintf("guests at the switch: %v\n", w.at.bridge.guests(w.t, "eth0"))
	}
	return text
}

// tell has the switch at the card told of guests in that way.
func (w *attachWorld) tell(teller linux.Agent) {
	w.at = &associating{teller: teller, station: &agent{pid: filepath.Join(w.folder, "no.pid")}}
	if teller == linux.Lldpad {
		w.at.station = startAgent(w.t, w.ns, networkCard, agentStation)
		w.at.station.agree(w.t, networkCard)
	}
}

// atSwitch connects the card with a switch that associates guests, whom somebody tells it of.
func (w *attachWorld) atSwitch(teller linux.Agent) {
	needAgent(w.t)
	outside := testenv.New(w.t)
	testenv.Connect(w.t, w.ns, outside, networkCard, "eth0")
	w.ns.SetSysctl(w.t, "net/ipv6/conf/"+networkCard+"/disable_ipv6", "1")
	bridge := startAgent(w.t, outside, "eth0", agentBridge)
	w.tell(teller)
	w.at.bridge = bridge
	w.document = strings.Replace(guestAtSwitch, "eth0", networkCard, 1)
	require.NoError(w.t, os.MkdirAll(filepath.Join(w.folder, "run", ".vsi"), 0o711))
}

func (w *attachWorld) attacher(at int) *exec.Cmd {
	w.t.Helper()
	text, err := json.Marshal(attachment{Config: w.config(), Folder: w.folder, Container: w.path, Interface: w.document, Discard: w.discard, Kill: int64(at), Parent: os.Getpid()})
	require.NoError(w.t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), attacherEnv+"="+string(text))
	return cmd
}

// wholeOrGone opens the folder as the next program would, and takes a port that it finds away.
func (w *attachWorld) wholeOrGone(when string) {
	w.t.Helper()
	ctx := context.Background()
	b, err := linux.Open(w.config())
	require.NoError(w.t, err)
	defer b.Close()
	nets, err := network.Open(ctx, b, network.Dir(filepath.Join(w.folder, "state")))
	require.NoError(w.t, err, when)
	s, err := nets.Lookup(ctx, "net0")
	require.NoError(w.t, err, when)
	require.True(w.t, s.Active(), "%s, the network is down", when)
	w.requireWhole(b, nets, s, "net0", when)
	for _, name := range []string{"net0", ""} {
		for port, err := range nets.Ports(ctx, name) {
			require.NoError(w.t, err, when)
			require.NoError(w.t, nets.DeletePort(ctx, name, port.Port.UUID), when)
		}
	}
	if diff := testenv.Diff(w.running, w.snapshot()); diff != "" {
		w.t.Fatalf("%s, the host is not as it was:\n%s", when, diff)
	}
	w.container.Unchanged(w.t, w.bystands, when+", in the container,")
}
