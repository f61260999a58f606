// SPDX-License-Identifier: Apache-2.0

//go:build unix

package trust

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// mostLinks is how many symbolic links a path may lead over, as in the kernel.
const mostLinks = 40

// Folder checks that nobody but this user and root can change what the path of a folder leads to: neither the folder nor, by
// replacing it or a part of its path, another one in its place. A folder on the way that everybody may write to, such as
// /tmp, is no harm if it is sticky. A missing one wraps fs.ErrNotExist.
func Folder(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	at, links := "/", 0
	if err := checkFolder(at, path == at); err != nil {
		return err
	}
	for rest := path[1:]; rest != ""; {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		next := filepath.Join(at, name)
		var stat unix.Stat_t
		if err := unix.Lstat(next, &stat); err != nil {
			return &os.PathError{Op: "lstat", Path: next, Err: err}
		}
		if stat.Mode&unix.S_IFMT != unix.S_IFLNK {
			if err := checkOwned(next, &stat, rest == ""); err != nil {
				return err
			}
			at = next
			continue
		}
		if links++; links > mostLinks {
			return &os.PathError{Op: "open", Path: path, Err: unix.ELOOP}
		}
		if !ours(stat.Uid) {
			return refuse(next, "the symbolic link belongs to user %d", stat.Uid)
		}
		to, err := os.Readlink(next)
		if err != nil {
			return err
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(at, to)
		}
		at, rest = "/", strings.TrimPrefix(filepath.Join(to, rest), "/")
	}
	return nil
}

func checkFolder(path string, last bool) error {
	var stat unix.Stat_t
	if err := unix.Lstat(path, &stat); err != nil {
		return &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	return checkOwned(path, &stat, last)
}

// checkOwned checks one folder of a path. In one that is not the last, others may make what is theirs if they cannot replace
// what is ours.
func checkOwned(path string, stat *unix.Stat_t, last bool) error {
	mode := uint32(stat.Mode)
	switch {
	case mode&unix.S_IFMT != unix.S_IFDIR:
		return &os.PathError{Op: "open", Path: path, Err: unix.ENOTDIR}
	case !ours(stat.Uid):
		return refuse(path, "the folder belongs to user %d", stat.Uid)
	case !last && mode&unix.S_ISVTX != 0:
		return nil
	case mode&unix.S_IWOTH != 0:
		return refuse(path, "everybody may write to the folder (mode %04o)", mode&0o7777)
	case mode&unix.S_IWGRP != 0 && !oursTogether(stat.Gid):
		return refuse(path, "group %d may write to the folder (mode %04o)", stat.Gid, mode&0o7777)
	}
	return nil
}

// ours reports whether what a user owns is as good as our own.
func ours(uid uint32) bool {
	const nobody = 65534
	// In a user namespace nobody is also who made the namespace, and root of the machine.
	return uid == 0 || int(uid) == os.Geteuid() || uid == nobody && !MapsNobody()
}

// oursTogether reports whether those of a group are trusted: this user was put into it as the first of all, by who set up the
// machine.
func oursTogether(gid uint32) bool { return gid == 0 || int(gid) == os.Getegid() }

// ReadFile reads a file that nobody else could have made or changed. It follows no symbolic link at the end of the path, and
// waits for nobody at a pipe. A missing one wraps fs.ErrNotExist.
func ReadFile(path string) ([]byte, error) {
	// Not a file of package os, which would be registered for waiting.
	fd, err := -1, error(unix.EINTR)
	for errors.Is(err, unix.EINTR) {
		fd, err = unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	}
	if errors.Is(err, unix.ELOOP) {
		return nil, refuse(path, "a symbolic link is in its place")
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return nil, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	if err := checkFile(path, &stat); err != nil {
		return nil, err
	}
	return readAll(fd, path, stat.Size)
}

// File checks that an open file is a regular one that nobody else could have made or changed.
func File(f *os.File) error {
	var stat unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &stat); err != nil {
		return &os.PathError{Op: "stat", Path: f.Name(), Err: err}
	}
	return checkFile(f.Name(), &stat)
}

func checkFile(path string, stat *unix.Stat_t) error {
	mode := uint32(stat.Mode)
	switch {
	case mode&unix.S_IFMT != unix.S_IFREG:
		return refuse(path, "no regular file")
	case !ours(stat.Uid):
		return refuse(path, "the file belongs to user %d", stat.Uid)
	case mode&unix.S_IWOTH != 0 || mode&unix.S_IWGRP != 0 && !oursTogether(stat.Gid):
		return refuse(path, "others may write to the file (mode %04o)", mode&0o7777)
	}
	return nil
}

// mostBytes is more than any file has that this program wrote.
const mostBytes = 256 << 20

func readAll(fd int, path string, size int64) ([]byte, error) {
	data := make([]byte, 0, min(size, mostBytes)+1) // one more, to see the end at once
	for {
		n, err := unix.Read(fd, data[len(data):cap(data)])
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return nil, &os.PathError{Op: "read", Path: path, Err: err}
		case n == 0:
			return data, nil
		}
		if data = data[:len(data)+n]; len(data) > mostBytes {
			return nil, refuse(path, "more than %d bytes", mostBytes)
		}
		data = slices.Grow(data, 1)
	}
}
