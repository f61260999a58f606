// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vmtest

import (
	"bytes"
	"context"
	_ "embed" // the machine's first program
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

//go:embed init
var initScript string

// A Program is what a machine runs.
type Program struct {
	// File is the program on this machine, without libraries of its own, and Args are its arguments.
	File string
	Args []string
	// Env holds variables as "NAME=value".
	Env []string
	// Source is a folder of this machine that is copied into the other, at the same place; files that begin with a dot are
	// left out. Empty copies nothing.
	Source string
	// Dir is the folder that the program starts in. Empty is the root.
	Dir string
}

// memory is how much a machine has, in MiB.
const memory = 3072

// Run starts a machine with two processors and two network cards on one wire, runs a program as root in it and returns
// the program's status, of which those above 127 are 127. What the program writes, by whichever way, goes to w. A
// machine that ends without a status is an error that holds the last lines of its kernel.
func (i *Image) Run(ctx context.Context, p Program, w io.Writer) (status int, err error) {
	tmp, err := os.MkdirTemp("", "vmtest")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	ramdisk, console := filepath.Join(tmp, "ramdisk"), filepath.Join(tmp, "console")
	if err := i.writeRamdisk(ramdisk, p); err != nil {
		return 0, fmt.Errorf("files of the virtual machine: %w", err)
	}
	cmd := i.QEMU(ctx, machine(i.Kernel(), ramdisk, console)...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = w, &said
	// The end of its input would be the end of the port that the program writes to.
	input, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	defer func() { _ = input.Close() }()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err = cmd.Run()
	exit := (*exec.ExitError)(nil)
	switch {
	case errors.As(err, &exit) && exit.ExitCode() > 0 && exit.ExitCode()%2 == 1:
		return exit.ExitCode() / 2, nil
	case err == nil:
		err = errors.New("it was switched off")
	}
	return 0, fmt.Errorf("the virtual machine ended without a status: %w\n%s%s", err, said.Bytes(), lastLines(console, 100))
}

// machine is the command line of the emulator.
func machine(kernel, ramdisk, console string) []string {
	args := []string{
		"-accel", "tcg,thread=multi", "-cpu", "max,la57=off", "-M", "q35,kernel-irqchip=split", "-smp", "2", "-m", fmt.Sprint(memory),
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-kernel", kernel, "-initrd", ramdisk,
		"-append", "console=ttyS0 panic=-1 quiet loglevel=4 no_timer_check tsc=reliable mitigations=off nokaslr random.trust_cpu=on rcupdate.rcu_expedited=1 intel_iommu=on iommu=nopt",
		"-device", "isa-debug-exit,iobase=0xf4,iosize=0x04", "-serial", "file:" + console,
		"-chardev", "stdio,id=out,signal=off", "-device", "virtio-serial-pci", "-device", "virtserialport,chardev=out,name=vmtest",
		"-device", "intel-iommu,intremap=on,caching-mode=on",
	}
	for _, n := range []string{"1", "2"} {
		args = append(args,
			"-device", "pcie-root-port,id=root"+n+",chassis="+n+",slot="+n,
			"-netdev", "hubport,id=wire"+n+",hubid=1",
			"-device", "igb,bus=root"+n+",netdev=wire"+n+",mac=52:54:00:00:0"+n+":00")
	}
	return args
}

// writeRamdisk writes all files of the machine.
func (i *Image) writeRamdisk(file string, p Program) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	a := NewArchive(f)
	a.Tree("/", i.Root(), nil)
	if p.Source != "" {
		a.Tree(p.Source, p.Source, func(rel string) bool { return strings.HasPrefix(filepath.Base(rel), ".") })
	}
	a.File("/init", 0o755, initScript)
	a.Copy("/program.bin", p.File)
	a.File("/program", 0o755, p.start())
	return errors.Join(a.Close(), f.Close())
}

// start is a script that starts the program.
func (p Program) start() string {
	var b strings.Builder
	b.WriteString("#!/bin/sh\n")
	for _, variable := range p.Env {
		fmt.Fprintf(&b, "export %s\n", quote(variable))
	}
	fmt.Fprintf(&b, "cd %s && exec /program.bin", quote(filepath.Join("/", p.Dir)))
	for _, arg := range p.Args {
		b.WriteString(" " + quote(arg))
	}
	return b.String() + "\n"
}

// quote is a word that a shell leaves as it is.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// lastLines is the end of a file, as far as it can be read.
func lastLines(file string, n int) []byte {
	text, _ := os.ReadFile(file)
	lines := bytes.SplitAfter(text, []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-n):], nil)
}
