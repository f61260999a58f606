// SPDX-License-Identifier: Apache-2.0

package vmtest

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// An Archive is written as the file system that a kernel starts from: cpio in the "newc" form. All of it belongs to root.
type Archive struct {
	w    *bufio.Writer
	made map[string]bool
	next int
	err  error
}

// NewArchive begins an archive.
func NewArchive(w io.Writer) *Archive {
	return &Archive{w: bufio.NewWriterSize(w, 1<<20), made: map[string]bool{".": true}}
}

// Dir makes a folder, and those above it.
func (a *Archive) Dir(name string) {
	if name = clean(name); a.made[name] {
		return
	}
	a.Dir(path.Dir(name))
	a.made[name] = true
	a.entry(name, 0o40755, 0, strings.NewReader(""))
}

// File makes a file with these contents, or replaces one.
func (a *Archive) File(name string, mode fs.FileMode, contents string) {
	a.Dir(path.Dir(clean(name)))
	a.entry(clean(name), 0o100000|uint32(mode.Perm()), int64(len(contents)), strings.NewReader(contents))
}

// Copy makes a file like one of this machine.
func (a *Archive) Copy(name, from string) {
	f, err := os.Open(from)
	if err != nil {
		a.fail(err)
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		a.fail(err)
		return
	}
	a.Dir(path.Dir(clean(name)))
	a.entry(clean(name), 0o100000|uint32(info.Mode().Perm()), info.Size(), f)
}

// Tree copies what is below a folder of this machine; of what is neither a file nor a folder, only symbolic links. Skip,
// if it is not nil, is asked about each path below the folder, and says what to leave out.
func (a *Archive) Tree(name, from string, skip func(rel string) bool) {
	err := filepath.WalkDir(from, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, file)
		if err != nil {
			return err
		}
		if skip != nil && rel != "." && skip(filepath.ToSlash(rel)) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		return a.copy(path.Join(name, filepath.ToSlash(rel)), file, d)
	})
	a.fail(err)
}

// copy adds one file, folder or link of this machine.
func (a *Archive) copy(name, file string, d fs.DirEntry) error {
	switch {
	case d.IsDir():
		a.Dir(name)
	case d.Type() == fs.ModeSymlink:
		target, err := os.Readlink(file)
		if err != nil {
			return err
		}
		a.entry(clean(name), 0o120777, int64(len(target)), strings.NewReader(target))
	case d.Type().IsRegular():
		a.Copy(name, file)
	}
	return a.err
}

// Close ends the archive, and returns the first error there was.
func (a *Archive) Close() error {
	a.entry("TRAILER!!!", 0, 0, strings.NewReader(""))
	a.fail(a.w.Flush())
	return a.err
}

func (a *Archive) fail(err error) {
	if a.err == nil {
		a.err = err
	}
}

// entry writes a header, the name and the contents; the last two are filled up to four bytes.
func (a *Archive) entry(name string, mode uint32, size int64, contents io.Reader) {
	if a.err != nil {
		return
	}
	a.next++
	const zero, one = 0, 1
	_, err := fmt.Fprintf(a.w, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00", a.next, mode, zero, zero, one, zero, size,
		zero, zero, zero, zero, len(name)+1, zero, name)
	a.fail(err)
	a.fill(int64(110 + len(name) + 1))
	n, err := io.CopyN(a.w, contents, size)
	a.fail(err)
	a.fill(n)
}

func (a *Archive) fill(n int64) {
	_, err := a.w.WriteString("\x00\x00\x00"[:(4-n%4)%4])
	a.fail(err)
}

// clean is a name as an archive has it: below the root, without a slash before it.
func clean(name string) string { return path.Clean(strings.TrimPrefix(path.Join("/", name), "/")) }
