// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
)

// A closed backend is a host that whoever calls may not look at.
type closed struct{ host.Backend }

func (closed) Facts(context.Context, host.Scope) (*host.Facts, error) {
	return nil, fmt.Errorf("links: %w", fs.ErrPermission)
}

func (closed) Firewall(context.Context) (*host.Firewall, error) {
	return nil, fmt.Errorf("packet filters: %w", fs.ErrPermission)
}

// What works on files needs no rights; what does not, says so, and prints no empty tables.
func TestWithoutRights(t *testing.T) {
	s := station{backend: closed{hosttest.New("eth0")}, store: network.Memory()}
	for _, args := range [][]string{
		{"validate", sample("lan.xml")}, {"format", sample("lan.xml")}, {"explain", sample("lan.xml"), sample("web.xml")},
		{"plan", sample("lan.xml")}, {"plan", "--json", sample("lan.xml")}, {"graph", sample("lan.xml"), sample("lab.xml")}, {"help"},
	} {
		_, errs, status := s.at(t, args...)
		require.Zero(t, status, "%v: %s", args, errs)
		require.Empty(t, errs, args)
	}
	out, _, _ := s.at(t, "plan", sample("lan.xml"))
	require.Contains(t, out, `# network "lan" on a machine in memory (this one: links: permission denied)`)
	for _, args := range [][]string{
		{"up", sample("lan.xml")}, {"up"}, {"down", "lan"}, {"list"}, {"list", "--json"}, {"show", "lan"}, {"attach", sample("web.xml")}, {"detach", "vnet0"},
		{"leases"}, {"check"}, {"repair"}, {"graph"}, {"plan", "lan"}, {"doctor"}, {"doctor", sample("lan.xml")},
	} {
		out, errs, status := s.at(t, args...)
		require.Equal(t, 1, status, args)
		require.Empty(t, out, args)
		require.Contains(t, errs, "permission denied; networks of a host need root", args)
	}
}
