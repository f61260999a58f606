// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package trust

import "os"

// Folder checks that there is such a folder.
func Folder(path string) error {
	_, err := os.Stat(path)
	return err
}

// File trusts every file.
func File(*os.File) error { return nil }

// ReadFile reads a file.
func ReadFile(path string) ([]byte, error) { return os.ReadFile(path) }
