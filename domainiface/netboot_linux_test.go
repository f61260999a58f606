// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/internal/testenv"
)

// bootScript is what the guest loads first: it tells what it was told, loads another file, as large as a kernel, and runs it.
const bootScript = `#!ipxe
echo told ${net0/ip} ${net0/netmask} ${net0/gateway} ${net0/dns} ${next-server} ${filename}
imgfetch --name large tftp://${next-server}/deep/large && echo loaded || echo not loaded
chain tftp://${next-server}/second
`

// TestNetworkBoot lets the firmware of a guest, which has no disk, take an address, find out what to load, and load it: iPXE, from
// the option ROM of a card of QEMU.
func TestNetworkBoot(t *testing.T) { onBothServers(t, testNetworkBoot) }

func testNetworkBoot(w *world) {
	t := w.t
	if testing.Short() {
		testenv.Skip(t, "takes some seconds")
	}
	testenv.NeedProgram(t, qemu)
	const rom = "/usr/lib/ipxe/qemu/pxe-virtio.rom"
	if _, err := os.Stat(rom); err != nil {
		testenv.Skip(t, "needs %s of the package ipxe-qemu", rom)
	}
	root := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(root, "deep"), 0o755))
	for name, content := range map[string]string{
		"boot.ipxe": bootScript, "second": "#!ipxe\necho booted\nprompt\n", "deep/large": strings.Repeat("0123456789abcdef", 1<<12),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(content), 0o644))
	}
	for dir := root; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		require.NoError(t, os.Chmod(dir, 0o755)) // so that dnsmasq can read it
	}
	w.start(fmt.Sprintf(`<network><name>lan</name><bridge name='lan0' stp='off' delay='0'/><ip address='10.88.0.1' prefix='24'><tftp root='%s'/>
		<dhcp><range start='10.88.0.10' end='10.88.0.99'/><host mac='52:54:00:00:00:01' ip='10.88.0.7'/><bootp file='boot.ipxe'/></dhcp></ip></network>`, root))
	p, err := domainiface.Attach(t.Context(), w.nets, domainiface.Guest{Name: "diskless"}, nic(t, asked("<model type='virtio'/><boot order='1'/>")))
	require.NoError(t, err)
	defer func() { require.NoError(t, p.Detach(t.Context())) }()
	files, err := p.Open(t.Context(), 1)
	require.NoError(t, err)
	args, err := p.QEMUArgs("", domainiface.Inherited(1))
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), qemu, append([]string{"-accel", "tcg", "-machine", "q35,graphics=off", "-m", "64", "-nodefaults", "-no-user-config",
		"-display", "none", "-serial", "stdio"}, args...)...)
	cmd.ExtraFiles = files
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	defer func() {
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
	}()
	for _, f := range files {
		require.NoError(t, f.Close())
	}
	var said []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		said = append(said, line)
		if strings.Contains(line, "booted") {
			break
		}
	}
	all := strings.Join(said, "\n")
	require.Contains(t, all, "told 10.88.0.7 255.255.255.0")
	require.Contains(t, all, "10.88.0.1 10.88.0.1 boot.ipxe")
	require.Contains(t, all, "loaded")
	require.NotContains(t, all, "not loaded")
	require.Contains(t, all, "booted")
}
