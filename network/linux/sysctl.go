// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
	value, err := os.ReadFile(path)
	if errors.Is(err, unix.EISDIR) {
		return "", fmt.Errorf("kernel parameter %s: %w", key, fs.ErrNotExist)
	}
	return strings.TrimSuffix(string(value), "\n"), rtnl.Translate(err)
}

// writeSysctl sets a parameter of the namespace this thread is in. It makes no file.
func writeSysctl(key, value string) error {
	path, err := sysctlPath(key)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return rtnl.Translate(err)
	}
	defer file.Close()
	_, err = file.WriteString(value)
	return rtnl.Translate(err)
}

func sysctlPath(key string) (string, error) {
	if !filepath.IsLocal(key) {
		return "", fmt.Errorf("kernel parameter %q: %w", key, fs.ErrNotExist)
	}
	return filepath.Join("/proc/sys", key), nil
}
