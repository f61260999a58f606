// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/testenv"
)

const cniFolder = "/usr/lib/cni"

// BenchmarkBeside_CNI plugs a container into a bridge by the library and by the bridge plugin of CNI, which is started for it.
func BenchmarkBeside_CNI(b *testing.B) {
	testenv.NeedRoot(b)
	if _, err := os.Stat(cniFolder + "/bridge"); err != nil {
		testenv.Skip(b, "needs the program %s/bridge (of the package containernetworking-plugins)", cniFolder)
	}
	d := newBed(b)
	d.start(b, natNetwork(b, 0, false))
	own := newGuests(b, d, kind{name: "veth", iface: `<interface type='network'><source network='net0'/><target dev='%s'/><guest dev='e%[1]s'/></interface>`}).own()
	plugin := cniPlugin(newContainer(b))
	b.Run("attach_veth", func(b *testing.B) { faster(b, "CNI", takeTurns(b, doing, plugin, own)) })
	b.Run("detach_veth", func(b *testing.B) { faster(b, "CNI", takeTurns(b, undoing, plugin, own)) })
	require.NoError(b, exec.Command("ip", "link", "del", "cni0").Run())
}

// cniPlugin is the plugin, without a plugin for addresses.
func cniPlugin(container string) work {
	call := func(command string) func() error {
		return func() error {
			cmd := exec.Command(cniFolder + "/bridge")
			cmd.Env = []string{"CNI_COMMAND=" + command, "CNI_CONTAINERID=bench", "CNI_NETNS=" + container, "CNI_IFNAME=eth0", "CNI_PATH=" + cniFolder}
			cmd.Stdin = strings.NewReader(`{"cniVersion":"0.4.0","name":"bench","type":"bridge","bridge":"cni0"}`)
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("CNI %s: %w: %s", command, err, out)
			}
			return nil
		}
	}
	return work{call("ADD"), call("DEL")}
}
