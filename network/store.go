// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"
)

// A Store keeps what a [Manager] has to remember: definitions, and records of what runs. It is a small file system of
// names and bytes. [Dirs] keeps it in two folders, [Dir] in one, [Memory] in memory; an embedding program may bring its own.
//
// A name has one or more parts divided by slashes, such as "networks/default". Each part has 1 to 100 bytes, of letters,
// digits and the characters ".", "_", "~" and "-", and does not begin with a dot. Other names wrap fs.ErrInvalid. A store
// may be used by many goroutines.
type Store interface {
	// Load returns what was saved under the name, for the caller to keep. Nothing saved wraps fs.ErrNotExist.
	Load(ctx context.Context, name string) ([]byte, error)
	// Save replaces what is under the name as a whole: whoever loads it finds the old or the new, whenever the program or
	// machine is stopped. Names that begin with "run/" need to outlive the program but not the machine.
	Save(ctx context.Context, name string, data []byte) error
	// Remove removes what is under the name. Nothing there is no error.
	Remove(ctx context.Context, name string) error
	// List returns the last parts of all names that have exactly the parts of folder before it, sorted.
	List(ctx context.Context, folder string) ([]string, error)
	// Lock waits until nobody else holds the lock of that name, in this process or another that uses the same store, and
	// holds it until release is called or the process ends. It is not reentrant. When ctx ends first, its error is returned.
	Lock(ctx context.Context, name string) (release func(), err error)
}

// checkStoreName says whether name can be a name of a store.
func checkStoreName(name string) error {
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || len(part) > 100 || part[0] == '.' {
			return fmt.Errorf("store: name %q: %w", name, fs.ErrInvalid)
		}
		for i := range len(part) {
			if !storable(part[i]) {
				return fmt.Errorf("store: name %q: %w", name, fs.ErrInvalid)
			}
		}
	}
	return nil
}

func storable(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("._~-", c) >= 0
}

// storeKey is the part of a store's name that stands for a network's name, which may hold almost anything: itself if it
// can stand in a name, else a digest.
func storeKey(name string) string {
	plain := name != "" && len(name) <= 60 && name[0] != '.' && name[0] != '~'
	for i := 0; plain && i < len(name); i++ {
		plain = storable(name[i])
	}
	if plain {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return "~" + hex.EncodeToString(sum[:16])
}
