// SPDX-License-Identifier: Apache-2.0

package linux

import (
	"context"
	"fmt"
	"os/exec"

	"github.com/go-virtnet/virtnet/internal/dnsmasq"
)

// ServerProgram asks the program that serves guests what it is: dnsmasq --version. One that is missing wraps
// errors.ErrUnsupported; one that says something else than expected has no Version, and is used all the same.
func (b *Backend) ServerProgram(ctx context.Context) (ServerProgram, error) {
	path, err := b.dnsmasq()
	if err != nil {
		return ServerProgram{}, err
	}
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.Env = []string{"LC_ALL=C.UTF-8"}
	said, err := cmd.Output()
	if err != nil {
		return ServerProgram{Path: path}, fmt.Errorf("%s --version: %w", path, err)
	}
	p := ServerProgram{Path: path, Lacks: dnsmasq.ParseLacks(string(said))}
	if v := dnsmasq.ParseVersion(string(said)); v != (dnsmasq.Version{}) {
		p.Version = fmt.Sprintf("%d.%d", v.Major, v.Minor)
	}
	return p, nil
}
