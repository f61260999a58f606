// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/hosttest"
)

// deaf is a machine whose servers follow no option that begins with "log".
type deaf struct{ *hosttest.Machine }

func (deaf) ReadOptions(s host.Server) (list []*host.OptionWarning, err error) {
	for i, line := range s.Options {
		if line == "bad" {
			return nil, fmt.Errorf("%q: %w", line, fs.ErrInvalid)
		}
		if strings.HasPrefix(line, "log") {
			list = append(list, &host.OptionWarning{Index: i, Line: line, Reason: "nobody reads it"})
		}
	}
	return list, nil
}

// TestWarnings: an option that has no effect is told of with its place in the document.
func TestWarnings(t *testing.T) {
	const document = `<network xmlns:d='http://libvirt.org/schemas/network/dnsmasq/1.0'><name>n</name>
<ip address='10.9.1.1' netmask='255.255.255.0'><dhcp><range start='10.9.1.2' end='10.9.1.9'/></dhcp></ip>
<d:options>
  <d:option value='cname=a,b'/>
  <d:option value='log-dhcp'/>
</d:options></network>`
	warnings := func(m host.Backend, document string) (string, error) {
		nets, err := network.Open(t.Context(), m, network.Memory())
		require.NoError(t, err)
		n, err := network.Parse(strings.NewReader(document))
		require.NoError(t, err)
		list, err := nets.Warnings(n)
		if len(list) == 0 {
			return "", err
		}
		return list.Error(), err
	}
	got, err := warnings(deaf{hosttest.New()}, document)
	require.NoError(t, err)
	require.Equal(t, `5:13: /network/dnsmasq:options/dnsmasq:option[2]/@value: "log-dhcp" has no effect: nobody reads it [dnsmasq-option-meaning]`, got)
	got, err = warnings(hosttest.New(), document)
	require.NoError(t, err)
	require.Empty(t, got, "a machine that follows all of them")
	got, err = warnings(deaf{hosttest.New()}, `<network><name>n</name></network>`)
	require.NoError(t, err)
	require.Empty(t, got)
	_, err = warnings(deaf{hosttest.New()}, strings.Replace(document, "log-dhcp", "bad", 1))
	require.ErrorIs(t, err, fs.ErrInvalid)
	require.ErrorContains(t, err, "/network/dnsmasq:options")
}
