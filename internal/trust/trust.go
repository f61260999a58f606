// SPDX-License-Identifier: Apache-2.0

// Package trust keeps what a program writes down for itself from other users of the machine. A folder is trusted if nobody
// but this user and root can change what its path leads to; a file, if nobody else owns or can write it. What is read
// from them is acted upon with the rights of this program, so it is refused if somebody else could have put it there.
//
// Errors wrap fs.ErrPermission, and say what has to be changed. On systems without owners everything is trusted.
package trust

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Make makes a folder and those above it that are missing, all with that mode, and checks what it leads to as [Folder] does.
func Make(path string, mode fs.FileMode) error {
	// Nothing is made below a place that is somebody else's. What is missing may be made by others meanwhile.
	if err := Folder(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(path, mode); err != nil {
		return err
	}
	return Folder(path)
}

// Create makes a new file for writing. Whatever is in its place, a file that was left behind, a link or a pipe, is removed
// and not written to.
func Create(path string, mode fs.FileMode) (*os.File, error) {
	const flags = os.O_WRONLY | os.O_CREATE | os.O_EXCL
	f, err := os.OpenFile(path, flags, mode)
	if !errors.Is(err, fs.ErrExist) {
		return f, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return os.OpenFile(path, flags, mode)
}

// WriteFile writes a new file as [Create] makes it.
func WriteFile(path string, data []byte, mode fs.FileMode) error {
	f, err := Create(path, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// refuse is the error about something that others could have made or changed.
func refuse(path, format string, args ...any) error {
	return fmt.Errorf("%s: %s: %w", path, fmt.Sprintf(format, args...), fs.ErrPermission)
}
