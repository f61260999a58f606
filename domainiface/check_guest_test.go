// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network/schema"
)

func TestValidateGuest(t *testing.T) {
	const mac = "<mac address='52:54:00:00:00:01'/>"
	const stays = mac + "<teaming type='persistent'/><alias name='ua-stays'/>"
	const sameMAC = "/devices/interface[2]/mac/@address: interface number 1 has the address 52:54:00:00:00:01 too, and they are no team [guest-mac]"
	for _, c := range []struct {
		name          string
		first, second string
		want, compat  string
	}{
		{"nothing given", "", "", "", ""},
		{"other addresses", mac, "<mac address='52:54:00:00:00:02'/>", "", ""},
		{"one address", mac, mac, sameMAC, ""},
		{"a team", stays, mac + "<teaming type='transient' persistent='ua-stays'/>", "", ""},
		{"a team, the other way round", mac + "<teaming type='transient' persistent='ua-stays'/>", stays, "", ""},
		{"a team with another", stays, mac + "<teaming type='transient' persistent='ua-other'/>", sameMAC, ""},
		{"two that stay", stays, mac + "<teaming type='persistent'/>", sameMAC, ""},
		{
			"one alias", "<alias name='ua-a'/>", "<alias name='ua-a'/>",
			"/devices/interface[2]/alias/@name: interface number 1 has the alias ua-a too [guest-alias]",
			"/devices/interface[2]/alias/@name: interface number 1 has the alias ua-a too [guest-alias]",
		},
		{
			"one place", "<boot order='2'/>", "<boot order='2'/>",
			"/devices/interface[2]/boot/@order: interface number 1 is booted from at number 2 too [guest-boot]",
			"/devices/interface[2]/boot/@order: interface number 1 is booted from at number 2 too [guest-boot]",
		},
		{
			"one device", "<target dev='tap-web'/>", "<target dev='tap-web'/>",
			"/devices/interface[2]/target/@dev: interface number 1 has the device tap-web too [guest-target]", "",
		},
		{"one template", "<target dev='web%d'/>", "<target dev='web%d'/>", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var all []*domainiface.Interface
			for _, content := range []string{c.first, c.second} {
				i, err := domainiface.Parse(strings.NewReader("<interface type='bridge'><source bridge='br0'/>" + content + "</interface>"))
				require.NoError(t, err)
				all = append(all, i)
			}
			for rules, want := range map[*schema.Rules]string{{}: c.want, {Compat: true}: c.compat} {
				if err := domainiface.ValidateGuest(all, *rules); want == "" {
					require.NoError(t, err)
				} else {
					require.EqualError(t, err, want)
				}
			}
		})
	}
}
