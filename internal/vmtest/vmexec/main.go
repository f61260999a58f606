// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Command vmexec runs a test binary in the virtual machine of package vmtest, with the files of the module it is part
// of, and ends with its status. It is for "go test -exec". Without arguments it makes the image of the machine and ends.
//
// Tests in the machine see VIRTNET_RING=3: there a kernel or a program that a test needs and does not find is a failure.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/internal/vmtest"
)

func main() {
	// The emulator ends with the thread that started it.
	runtime.LockOSThread()
	go endWithParent()
	status, err := run(context.Background(), os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "vmexec:", err)
		os.Exit(1)
	}
	os.Exit(status)
}

func run(ctx context.Context, args []string) (int, error) {
	image, err := vmtest.Make(ctx, os.Stderr)
	if err != nil || len(args) == 0 {
		return 0, err
	}
	dir, err := os.Getwd()
	if err != nil {
		return 0, err
	}
	module, err := moduleOf(dir)
	if err != nil {
		return 0, err
	}
	return image.Run(ctx, vmtest.Program{File: args[0], Args: args[1:], Env: []string{testenv.RingVar + "=3"}, Source: module, Dir: dir}, os.Stdout)
}

// endWithParent ends this program when the one that started it is gone, and cannot end it any more.
func endWithParent() {
	for parent := os.Getppid(); os.Getppid() == parent; {
		time.Sleep(time.Second)
	}
	os.Exit(1)
}

// moduleOf is the nearest folder above dir with a go.mod.
func moduleOf(dir string) (string, error) {
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("%s is in no module", dir)
		}
	}
}
