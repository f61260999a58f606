// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
)

var kills = flag.Int("kills", 6, "how many programs are killed in the middle of the soak, for each way of serving")

// victimEnv makes this test binary a program that works in a world until it is killed.
const victimEnv = "VIRTNET_TEST_SOAK_VICTIM"

// An order is what such a program is told. It writes its notes to a file.
type order struct {
	World world
	Notes string
	Round int
	// Most is how many guests a worker has. With 0 all work is on networks.
	Most int
}

// ready is the subject of the note that it has opened the host.
const ready = "ready"

func victim(text string) error {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	file, err := os.OpenFile(o.Notes, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	write := func(n note) error {
		line, err := json.Marshal(n)
		if err == nil {
			_, err = file.Write(append(line, '\n')) // which is done when the program is killed, or never
		}
		return err
	}
	ctx := context.Background()
	_, nets, err := o.World.open(ctx)
	if err != nil {
		return err
	}
	hands, err := o.hands(ctx, nets, write)
	if err != nil {
		return err
	}
	if err := write(note{Subject: ready, Done: true}); err != nil {
		return err
	}
	failed := make(chan error)
	for _, w := range hands {
		go func() { failed <- w.work(ctx, func() bool { return true }) }()
	}
	return <-failed
}

// hands are the workers, with the guests that programs before have attached.
func (o *order) hands(ctx context.Context, nets *network.Manager, write func(note) error) ([]*worker, error) {
	var hands []*worker
	for i := range workers {
		hands = append(hands, &worker{
			world: o.World, nets: nets, number: i, most: o.Most, note: write, name: fmt.Sprintf("r%dw%dg", o.Round, i),
			chance: rand.New(rand.NewPCG(uint64(o.Round), uint64(i))),
		})
	}
	for i := range o.World.Networks {
		s, err := nets.Lookup(ctx, nameOf(i))
		if err != nil {
			return nil, err
		}
		if i < serving {
			hands[i].version = versionOf(s.Definition)
		}
		for s, err := range nets.Ports(ctx, nameOf(i)) {
			if err != nil {
				return nil, err
			}
			var round, number, guest int
			if _, err := fmt.Sscanf(s.Port.Owner.Name, "r%dw%dg%d", &round, &number, &guest); err != nil || o.Most == 0 {
				continue // one that stays
			}
			p, err := domainiface.Lookup(ctx, nets, s.Network, s.Port.UUID)
			if err != nil {
				return nil, err
			}
			hands[number].mine = append(hands[number].mine, p)
		}
	}
	return hands, nil
}

// TestSoakKilled kills the programs of the soak at moments that chance chooses, one after the other. What was done before is there, what was being
// done is done or not, guests that nobody worked on have noticed nothing, and nothing is left that belongs to nobody.
func TestSoakKilled(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.NeedProgram(t, "dnsmasq")
	t.Run("dnsmasq", func(t *testing.T) { testSoakKilled(t, false) })
	t.Run("in process", func(t *testing.T) { testSoakKilled(t, true) })
}

func testSoakKilled(t *testing.T, inProcess bool) {
	networks, most := 8, 3
	if *kills > 100 {
		networks, most = 20, 10
	}
	w, host, container := newWorld(t, inProcess, networks)
	b := &book{T: t, world: w, host: host, container: container, before: host.Snapshot(t)}
	b.build()
	chance := rand.New(rand.NewPCG(11, 12))
	for round := range *kills {
		o := order{World: w, Notes: filepath.Join(w.Folder, fmt.Sprint("notes", round)), Round: round + 1, Most: most}
		if round%3 == 2 {
			o.Most = 0
		}
		when := fmt.Sprintf("round %d, %s", round, b.kill(o, chance))
		b.read(o.Notes)
		if round%2 == 0 { // or else the host is opened while what was killed may still be ending
			b.stillThere(when)
		}
		b.settle(when)
		if every := 25; round%every == every-1 {
			b.tearDown()
			b.build()
		}
	}
	t.Log("in the middle of: ", b.interrupted)
	b.tearDown()
}

// kill runs a program, and kills it when it has worked for some time, or while it is opening the host. It tells when.
func (b *book) kill(o order, chance *rand.Rand) string {
	b.Helper()
	text, err := json.Marshal(o)
	require.NoError(b, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimEnv+"="+string(text))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	require.NoError(b, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	over := func() bool { return len(ended) > 0 }
	opening := chance.IntN(5) == 0
	if !opening {
		testenv.WaitFor(b, time.Minute, "a program has opened the host", func() bool {
			data, err := os.ReadFile(o.Notes)
			return over() || err == nil && len(data) > 0
		})
	}
	after := time.Duration(chance.IntN(300_000)) * time.Microsecond
	time.Sleep(after) // which is the point: any moment will do
	_ = cmd.Process.Kill()
	err = <-ended
	var exit *exec.ExitError
	require.ErrorAs(b, err, &exit)
	status := exit.Sys().(syscall.WaitStatus)
	require.True(b, status.Signaled() && status.Signal() == syscall.SIGKILL, "the program ended by itself: %v: %s", err, &said)
	return fmt.Sprintf("killed after %s, opening %v", after, opening)
}

// read reads the notes of a program that was killed.
func (b *book) read(file string) {
	b.Helper()
	b.notes = map[string][]note{}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	require.NoError(b, err)
	require.NoError(b, os.Remove(file))
	for line := range strings.Lines(string(data)) {
		var n note
		require.NoError(b, json.Unmarshal([]byte(line), &n), line)
		if n.Do != look {
			b.notes[n.Subject] = append(b.notes[n.Subject], n)
		}
	}
}

// pending is what was being done with a subject when the program was killed, if anything; and done what was done before.
func (b *book) pending(subject string) (done []note, now *note) {
	for _, n := range b.notes[subject] {
		if n.Done {
			done = append(done, n)
			now = nil
		} else {
			now = &n
		}
	}
	if now != nil {
		b.interrupted[now.Do]++
	}
	return done, now
}

// subjects are all that there are.
func (b *book) subjects() map[string]bool {
	all := map[string]bool{}
	for name := range maps.Keys(b.notes) {
		if !strings.HasPrefix(name, "net") && name != ready {
			all[name] = true
		}
	}
	for name := range maps.Keys(b.guests) {
		all[name] = true
	}
	return all
}
