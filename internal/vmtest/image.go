// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vmtest

import (
	"context"
	"crypto/sha256"
	_ "embed" // how an image is made
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// DirVar is the environment variable that names the folder for images; without it they are in the user's cache.
const DirVar = "VIRTNET_VM_DIR"

//go:embed image.sh
var script string

// An Image is what a machine is made of.
type Image struct {
	dir string
}

// Find finds the image. One that is not there, or was made by other rules, is fs.ErrNotExist.
func Find() (*Image, error) {
	dir, err := folder()
	if err != nil {
		return nil, err
	}
	dir = filepath.Join(dir, fmt.Sprintf("%.6x", sha256.Sum256([]byte(script))))
	_, err = os.Stat(dir)
	return &Image{dir: dir}, err
}

// Make finds the image, and makes it if it is not there. That takes a minute, and the programs apt-get and dpkg-deb with
// the archive of Debian; what they say goes to log. Only for amd64 there is one: others are errors.ErrUnsupported.
func Make(ctx context.Context, log io.Writer) (*Image, error) {
	if runtime.GOARCH != "amd64" {
		return nil, fmt.Errorf("a virtual machine for %s: %w", runtime.GOARCH, errors.ErrUnsupported)
	}
	dir, err := folder()
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		return nil, err
	}
	// One process makes it, the others wait.
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return nil, fmt.Errorf("%s: %w", lock.Name(), err)
	}
	image, err := Find()
	if !errors.Is(err, fs.ErrNotExist) {
		return image, err
	}
	half := image.dir + ".half"
	if err := os.RemoveAll(half); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "bash", "-s", "--", half)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(script), log, log
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("making the image of the virtual machine in %s: %w", dir, err)
	}
	return image, os.Rename(half, image.dir)
}

// folder is where images are.
func folder() (string, error) {
	dir := os.Getenv(DirVar)
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("%w: name a folder for images in %s", err, DirVar)
		}
		dir = filepath.Join(cache, "virtnet-vm")
	}
	return dir, nil
}

// Root is the folder with the machine's own files.
func (i *Image) Root() string { return filepath.Join(i.dir, "root") }

// Kernel is the file of the kernel.
func (i *Image) Kernel() string { return filepath.Join(i.dir, "kernel") }

// QEMU is the emulator of the image. It runs with its own libraries, whatever this machine has.
func (i *Image) QEMU(ctx context.Context, args ...string) *exec.Cmd {
	usr := filepath.Join(i.dir, "qemu", "usr")
	lib, share := filepath.Join(usr, "lib", "x86_64-linux-gnu"), filepath.Join(usr, "share")
	all := []string{"--library-path", lib, filepath.Join(usr, "bin", "qemu-system-x86_64"),
		"-L", filepath.Join(share, "qemu"), "-L", filepath.Join(share, "seabios"), "-L", filepath.Join(usr, "lib", "ipxe", "qemu")}
	cmd := exec.CommandContext(ctx, filepath.Join(usr, "lib64", "ld-linux-x86-64.so.2"), append(all, args...)...)
	cmd.Env = append(os.Environ(), "QEMU_MODULE_DIR="+filepath.Join(lib, "qemu"))
	return cmd
}
