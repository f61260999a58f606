// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/testenv"
)

// heapOfNetworks is how many bytes each of so many networks that run keeps in memory, on the real kernel.
func heapOfNetworks(t testing.TB, count int) float64 {
	t.Helper()
	testenv.NeedRoot(t)
	d := newBedIn(t, testenv.New(t).Path())
	inUse := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what the first has left to be taken away
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	start := func(i int) {
		n := natNetwork(t, i, false)
		require.NoError(t, d.nets.Define(t.Context(), n))
		require.NoError(t, d.nets.Start(t.Context(), n.Name))
	}
	start(0) // what is there once
	before := inUse()
	for i := range count {
		start(1 + i)
	}
	perNetwork := (float64(inUse()) - float64(before)) / float64(count)
	runtime.KeepAlive(d)
	t.Cleanup(func() {
		inCrowd(t, 1+count, func(i int) error { return d.nets.Stop(context.Background(), natNetwork(t, i, false).Name) })
	})
	return perNetwork
}

// TestHeapOfANetwork: a network that runs keeps 8 kB at most in memory.
func TestHeapOfANetwork(t *testing.T) {
	count := 100
	if testing.Short() {
		count = 20
	}
	require.Less(t, heapOfNetworks(t, count), 8192.0)
}

// BenchmarkHeap_of_a_network says what each of 200 networks keeps in memory.
func BenchmarkHeap_of_a_network(b *testing.B) {
	perNetwork := heapOfNetworks(b, 200)
	b.Run("networks=200", func(b *testing.B) {
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(perNetwork/1000, "own-kB")
	})
}

// embedder is a program that has a network with a guest. Its engine is none, or the one of network/serve.
const embedder = `package main

import (
	"context"
	"os"
	"strings"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/linux"
	{import}
)

func main() {
	if err := run(context.Background(), os.Args[1], os.Args[2], os.Args[3]); err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
}

func run(ctx context.Context, dir, document, nic string) error {
	b, err := linux.Open(linux.Config{ {engine} })
	if err != nil {
		return err
	}
	defer b.Close()
	nets, err := network.Open(ctx, b, network.Dir(dir))
	if err != nil {
		return err
	}
	n, err := network.Parse(strings.NewReader(document))
	if err != nil {
		return err
	}
	if err := nets.Create(ctx, n); err != nil {
		return err
	}
	i, err := domainiface.Parse(strings.NewReader(nic))
	if err != nil {
		return err
	}
	port, err := domainiface.Attach(ctx, nets, domainiface.Guest{Name: "web"}, i)
	if err != nil {
		return err
	}
	if _, err := port.Open(ctx, 1); err != nil {
		return err
	}
	return port.Detach(ctx)
}
`

// standard is a program that uses the packages of Go which the library cannot do without.
const standard = `package main

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net"
	"os"
	"os/exec"
)

func main() {
	var document struct{ Name string }
	fmt.Println(xml.Unmarshal([]byte(os.Args[1]), &document), json.Unmarshal([]byte(os.Args[1]), &document), exec.Command(os.Args[1]).Run())
	conn, err := net.Dial("unix", os.Args[1])
	fmt.Println(conn, err)
}
`

// BenchmarkBinary says how many bytes a program has, stripped, beside one that does nothing.
func BenchmarkBinary(b *testing.B) {
	if _, err := exec.LookPath("go"); err != nil {
		testenv.Skip(b, "needs the program go")
	}
	empty := megabytes(b, "package main\n\nfunc main() {}\n")
	for _, c := range []struct {
		name, text, engine, imports string
		flags                       []string
	}{
		{name: "of_the_standard_library_alone", text: standard},
		{name: "dnsmasq", text: embedder},
		{name: "without_D_Bus", text: embedder, flags: []string{"-tags=virtnet_nodbus"}},
		{name: "in_process", text: embedder, engine: "Engine: &serve.Engine{}", imports: `"github.com/go-virtnet/virtnet/network/serve"`},
	} {
		text := strings.NewReplacer("{engine}", c.engine, "{import}", c.imports).Replace(c.text)
		size := megabytes(b, text, c.flags...)
		b.Run(c.name, func(b *testing.B) {
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(empty, "empty-MB")
			b.ReportMetric(size, "own-MB")
			b.ReportMetric(size-empty, "over-MB")
		})
	}
}

// megabytes builds a program, and returns how many it has.
func megabytes(b *testing.B, text string, flags ...string) float64 {
	b.Helper()
	folder := b.TempDir()
	source, program := filepath.Join(folder, "main.go"), filepath.Join(folder, "program")
	require.NoError(b, os.WriteFile(source, []byte(text), 0o644))
	cmd := exec.Command("go", append(append([]string{"build", "-trimpath", "-ldflags=-s -w", "-o", program}, flags...), source)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	require.NoError(b, err, "%s", out)
	info, err := os.Stat(program)
	require.NoError(b, err)
	return float64(info.Size()) / 1e6
}
