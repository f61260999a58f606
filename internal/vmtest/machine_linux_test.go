// SPDX-License-Identifier: Apache-2.0

package vmtest_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/internal/vmtest"
)

// run has the shell of a machine run a command.
func run(t *testing.T, dir, command string) (output string, status int, err error) {
	t.Helper()
	if os.Getenv("VIRTNET_VM") == "" {
		testenv.Skip(t, "make vm runs it")
	}
	image, err := vmtest.Find()
	require.NoError(t, err)
	var out bytes.Buffer
	status, err = image.Run(t.Context(), vmtest.Program{
		File: filepath.Join(image.Root(), "usr/bin/dash"), Args: []string{"-c", command}, Env: []string{"QUOTED=it's"}, Source: dir, Dir: dir,
	}, &out)
	return out.String(), status, err
}

// TestMachine wants what the program says, its status, and cards with virtual functions, each in an IOMMU group of its own.
func TestMachine(t *testing.T) {
	dir, err := filepath.Abs("testdata/program")
	require.NoError(t, err)
	out, status, err := run(t, dir, `echo "$QUOTED $(id -u)"; cat file; echo to stderr >/dev/stderr
modprobe igb
until [ "$(ls -d /sys/bus/pci/drivers/igb/*/net/* | wc -l)" = 2 ]; do usleep 50000; done
for card in /sys/bus/pci/drivers/igb/*:*; do
	echo 0 >$card/sriov_drivers_autoprobe && echo 2 >$card/sriov_numvfs
	for function in $card $card/virtfn*; do ls $function/iommu_group/devices | wc -l; done
done
exit 42`)
	require.NoError(t, err)
	require.Equal(t, 42, status)
	require.Equal(t, "it's 0\ncontents\nto stderr\n1\n1\n1\n1\n1\n1\n", out)
}

func TestMachineThatDies(t *testing.T) {
	out, _, err := run(t, "", `echo so far; echo c >/proc/sysrq-trigger`)
	require.ErrorContains(t, err, "ended without a status")
	require.ErrorContains(t, err, "Call Trace")
	require.Equal(t, "so far\n", out)
}
