// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
	"github.com/stretchr/testify/require"
)

// helperEnv makes the test's program do something else, in a process of its own: "crash STEP", "tie", "stay" or
// "idle".
const helperEnv = "VIRTNET_TEST_HELPER"

var _ = runHelper()

// helperJob is what a helper reads from its standard input.
type helperJob struct {
	Config linux.Config
	Op     host.Serve
}

// runHelper ends a process that was started as a helper.
func runHelper() bool {
	what, step, _ := strings.Cut(os.Getenv(helperEnv), " ")
	if what == "" {
		return false
	}
	if what == "idle" {
		select {}
	}
	die := func() error { return syscall.Kill(os.Getpid(), syscall.SIGKILL) }
	var job helperJob
	err := json.NewDecoder(os.Stdin).Decode(&job)
	if what == "here" {
		inProcess(&job.Config)
	}
	if err == nil {
		var b *linux.Backend
		if b, err = linux.Open(job.Config); err == nil {
			b.AtServe(func(at string) error {
				if at == step {
					return die()
				}
				return nil
			})
			err = b.Do(context.Background(), job.Op)
		}
	}
	if err == nil && what == "tie" {
		err = die()
	}
	if err == nil && what == "here" {
		fmt.Print("serves")
		select {}
	}
	if err == nil && what == "stay" {
		os.Exit(0)
	}
	fmt.Fprintln(os.Stderr, "helper goes on:", err)
	os.Exit(1)
	return true
}

// helper runs a helper that has to be killed by itself.
func helper(t *testing.T, what string, job helperJob) {
	t.Helper()
	input, err := json.Marshal(job)
	require.NoError(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"="+what)
	cmd.Stdin = strings.NewReader(string(input))
	out, err := cmd.Output()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, syscall.SIGKILL, exit.Sys().(syscall.WaitStatus).Signal(), "%s%s", out, exit.Stderr)
}

// idle starts a process that does nothing, with these arguments.
func idle(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := &exec.Cmd{Path: os.Args[0], Args: args, Env: append(os.Environ(), helperEnv+"=idle")}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Signal(syscall.Signal(0)), "a foreign process was ended")
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
	})
	testenv.WaitFor(t, 10*time.Second, "the process has its arguments", func() bool {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", cmd.Process.Pid))
		return err == nil && string(line) == strings.Join(args, "\x00")+"\x00"
	})
	return cmd
}
