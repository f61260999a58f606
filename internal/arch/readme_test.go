// SPDX-License-Identifier: Apache-2.0

package arch

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReadmeCompiles wants what README shows to be a program, once it is put into a function.
func TestReadmeCompiles(t *testing.T) {
	root := filepath.Join("..", "..")
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllSubmatch(readme, -1)
	require.NotEmpty(t, blocks)
	for _, block := range blocks {
		program := filepath.Join(t.TempDir(), "main.go")
		require.NoError(t, os.WriteFile(program, []byte(`package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/linux"
	"github.com/go-virtnet/virtnet/network/serve"
)

func main() { fmt.Println(show(context.Background(), os.Stdin)) }

func show(ctx context.Context, file io.Reader) error {
`+string(block[1])+`
	_ = queues
	return nil
}
`), 0o600))
		build := exec.Command("go", "build", "-o", os.DevNull, program)
		build.Dir = root
		out, err := build.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
}

// TestPagesLeadSomewhere wants the links of pages to files of the repository to be there.
func TestPagesLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)\)`)
	pages, err := filepath.Glob(filepath.Join("..", "..", "*.md"))
	require.NoError(t, err)
	more, err := filepath.Glob(filepath.Join("..", "..", "docs", "*.md"))
	require.NoError(t, err)
	for _, page := range append(pages, more...) {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, found := range link.FindAllStringSubmatch(string(text), -1) {
			_, err := os.Stat(filepath.Join(filepath.Dir(page), filepath.FromSlash(strings.TrimSpace(found[1]))))
			require.NoError(t, err, "%s leads to %s", page, found[1])
		}
	}
}
