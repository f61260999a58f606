// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/internal/testenv"
)

const qemu = "qemu-system-x86_64"

// TestQEMUTakesArgs gives QEMU the arguments of ports and their descriptors, and asks it what it has made of them. No
// guest runs.
func TestQEMUTakesArgs(t *testing.T) {
	testenv.NeedProgram(t, qemu)
	w := newWorld(t)
	w.start(`<network><name>lan</name><bridge name='lan0' stp='off'/><ip address='10.88.0.1' prefix='24'/></network>`)
	for name, c := range map[string]struct {
		text   string
		queues int
		vhost  bool
		want   []string // what QEMU says of its network, and of its devices
	}{
		"nothing said": {asked(""), 1, false, []string{"net0: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:00:00:01", "hostnet0: index=0,type=tap,fd=3"}},
		"queues": {asked("<alias name='ua-lan'/><model type='virtio'/><driver queues='2'/>"), 2, false,
			[]string{"ua-lan: index=0,type=nic,model=virtio-net-pci", "hostua-lan: index=1,type=tap,fd=4", "mq = true", "vectors = 6 "}},
		"queues in the kernel": {asked("<model type='virtio'/><driver name='vhost' queues='2'/>"), 2, true,
			[]string{"hostnet0: index=1,type=tap,fd=4", "mq = true"}},
		"another card": {asked("<model type='e1000e'/><boot order='2'/><rom enabled='no'/><acpi index='7'/>"), 1, false,
			[]string{"model=e1000e", `romfile = ""`, "acpi-index = 7 "}},
		"macvtap": {`<interface type='direct'><mac address='52:54:00:00:00:01'/><source dev='eth0' mode='bridge'/><model type='virtio'/></interface>`, 1, false,
			[]string{"hostnet0: index=0,type=tap,fd=3", "model=virtio-net-pci,macaddr=52:54:00:00:00:01"}},
		"everything of virtio": {asked(`<model type='virtio-transitional'/><mtu size='1400'/><tune><sndbuf>65536</sndbuf></tune><teaming type='persistent'/>
			<driver name='qemu' txmode='timer' ioeventfd='on' event_idx='off' queues='2' rx_queue_size='512' rss='on' rss_hash_report='off'
				iommu='off' ats='on' packed='off' page_per_vq='on'>
				<host csum='off' gso='off' tso4='on' tso6='off' ecn='off' ufo='off' mrg_rxbuf='on'/><guest csum='off' tso4='off' tso6='on' ecn='off' ufo='off'/></driver>`), 2, false,
			[]string{"model=virtio-net-pci-transitional", "host_mtu = 1400 ", "failover = true", `tx = "timer"`, "ioeventfd = true", "event_idx = false",
				"rx_queue_size = 512 ", "rss = true", "hash = false", "iommu_platform = false", "ats = true", "packed = false", "page-per-vq = true", "csum = false",
				"gso = false", "host_tso4 = true", "host_tso6 = false", "host_ecn = false", "host_ufo = false", "mrg_rxbuf = true", "guest_csum = false",
				"guest_tso4 = false", "guest_tso6 = true", "guest_ecn = false", "guest_ufo = false"}},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := domainiface.Attach(t.Context(), w.nets, domainiface.Guest{Name: "web"}, nic(t, c.text))
			require.NoError(t, err)
			defer func() { require.NoError(t, p.Detach(t.Context())) }()
			files, err := p.Open(t.Context(), c.queues)
			require.NoError(t, err)
			d := domainiface.Inherited(c.queues)
			if c.vhost {
				files, d.Vhost = openVhost(t, files)
			}
			args, err := p.QEMUArgs("", d)
			require.NoError(t, err)
			says := askQEMU(t, args, files)
			for _, want := range c.want {
				if !strings.Contains(says, want) { // all that it says is some hundred lines
					t.Errorf("QEMU does not say %s", want)
				}
			}
		})
	}
}

// openVhost adds as many descriptors of the kernel's side of virtio, and tells their numbers.
func openVhost(t *testing.T, queues []*os.File) (files []*os.File, numbers []int) {
	t.Helper()
	const device = "/dev/vhost-net"
	files = queues
	for range queues {
		f, err := os.OpenFile(device, os.O_RDWR, 0)
		if err != nil {
			testenv.Skip(t, "needs %s: %v", device, err)
		}
		numbers = append(numbers, 3+len(files))
		files = append(files, f)
	}
	return files, numbers
}

// askQEMU starts QEMU with a device, and returns what it says of its network and of its devices. It closes the files.
func askQEMU(t *testing.T, args []string, files []*os.File) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), qemu, append([]string{"-accel", "tcg", "-machine", "q35", "-nodefaults", "-no-user-config",
		"-display", "none", "-S", "-monitor", "stdio"}, args...)...)
	cmd.ExtraFiles = files
	cmd.Stdin = strings.NewReader("info network\ninfo qtree\nquit\n")
	out, err := cmd.CombinedOutput()
	for _, f := range files {
		require.NoError(t, f.Close())
	}
	require.NoError(t, err, "%s", out)
	return string(out)
}
