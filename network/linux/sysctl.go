// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/network/host"
	"golang.org/x/sys/unix"
)

func (b *Backend) setSysctl(o host.SetSysctl) error {
	return b.enter(func() error { return writeSysctl(o.Key, o.Value) })
}

// sysctlFacts reads the parameters that a scope names. It has to be called inside the namespace.
func sysctlFacts(scope host.Scope, f *host.Facts) error {
	for _, key := range scope.Sysctls {
		value, err := readSysctl(key)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		f.Sysctls = append(f.Sysctls, host.Sysctl{Key: key, Value: value})
	}
	return nil
}

// readSysctl reads a parameter of the namespace this thread is in. What is no parameter, such as a folder of them, wraps
// fs.ErrNotExist.
func readSysctl(key string) (string, error) {
	path, err := sysctlPath(key)
	if err != nil {
		return "", err
	}
	value, err := sysctlFile(path, unix.O_RDONLY, func(fd int) ([]byte, error) {
		value := make([]byte, 256) // much more than any number
		n, err := ignoringEINTR(func() (int, error) { return unix.Read(fd, value) })
		return value[:max(n, 0)], err
	})
	if errors.Is(err, unix.EISDIR) {
		return "", fmt.Errorf("kernel parameter %s: %w", key, fs.ErrNotExist)
	}
	return strings.TrimSuffix(string(value), "\n"), err
}

// writeSysctl sets a parameter of the namespace this thread is in. It makes no file.
func writeSysctl(key, value string) error {
	path, err := sysctlPath(key)
	if err != nil {
		return err
	}
	_, err = sysctlFile(path, unix.O_WRONLY, func(fd int) ([]byte, error) {
		_, err := ignoringEINTR(func() (int, error) { return unix.Write(fd, []byte(value)) })
		return nil, err
	})
	return err
}

// sysctlFile opens the file of a parameter and closes it again. The files of package os are made for waiting, and would be
// registered for that, which takes longer than all the rest; nobody waits for a parameter.
func sysctlFile(path string, flags int, use func(fd int) ([]byte, error)) ([]byte, error) {
	operation := "open"
	fd, err := ignoringEINTR(func() (int, error) { return unix.Open(path, flags|unix.O_CLOEXEC, 0) })
	var result []byte
	if err == nil {
		operation = "use"
		result, err = use(fd)
		unix.Close(fd)
	}
	if err != nil {
		return nil, rtnl.Translate(&os.PathError{Op: operation, Path: path, Err: err})
	}
	return result, nil
}

// readToEnd reads a file of which nobody knows how long it is.
func readToEnd(fd int) ([]byte, error) {
	data := make([]byte, 0, 4096)
	for {
		n, err := ignoringEINTR(func() (int, error) { return unix.Read(fd, data[len(data):cap(data)]) })
		if n <= 0 || err != nil {
			return data, err
		}
		data = slices.Grow(data[:len(data)+n], 1024)
	}
}

func sysctlPath(key string) (string, error) {
	if !filepath.IsLocal(key) {
		return "", fmt.Errorf("kernel parameter %q: %w", key, fs.ErrNotExist)
	}
	return filepath.Join("/proc/sys", key), nil
}
