// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
)

// A case in testdata/updates is a network, the lines of its updates, each with its XML below, and what becomes of the network
// in both modes.
const updateLine = "-- update "

// updateCase reads the network and the updates of a case.
func updateCase(t testing.TB, text string) (doc string, updates []network.Update) {
	t.Helper()
	input, _, _ := strings.Cut(text, defaultLine)
	parts := strings.Split(input, updateLine)
	for _, part := range parts[1:] {
		words, xml, ok := strings.Cut(part, " --\n")
		require.True(t, ok, "%q", part)
		u := network.Update{XML: strings.TrimSpace(xml)}
		var command, section string
		_, err := fmt.Sscan(words+" 0", &command, &section, &u.IP)
		require.NoError(t, err)
		require.NoError(t, u.Command.UnmarshalText([]byte(command)))
		require.NoError(t, u.Section.UnmarshalText([]byte(section)))
		updates = append(updates, u)
	}
	return parts[0], updates
}

// updatedText tells what becomes of a network by updates.
func updatedText(t *testing.T, doc string, updates []network.Update, rules schema.Rules) string {
	t.Helper()
	n, err := network.Reader{Compat: rules.Compat}.Parse(strings.NewReader(doc))
	require.NoError(t, err)
	before, err := n.Format()
	require.NoError(t, err)
	updated, wrong := n.UpdatedAs(rules, updates...)
	after, err := n.Format()
	require.NoError(t, err)
	require.Equal(t, string(before), string(after), "the network itself stays as it is")
	if wrong != nil {
		require.Nil(t, updated)
		return wrong.Error() + "\n"
	}
	text, err := updated.Format()
	require.NoError(t, err)
	return string(text)
}

func TestUpdated(t *testing.T) {
	for path, text := range files(t, "updates/*.txt") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			input, _, _ := strings.Cut(text, defaultLine)
			doc, updates := updateCase(t, text)
			require.NotEmpty(t, updates)
			golden(t, path, input+defaultLine+updatedText(t, doc, updates, schema.Rules{})+compatLine+updatedText(t, doc, updates, compatRules))
		})
	}
}

var compatRules = schema.Rules{Compat: true}

// Each correction alone can be switched off.
func TestUpdateDeviations(t *testing.T) {
	for _, d := range []schema.Deviation{network.UpdateDefined, network.UpdateHostMAC, network.UpdateInUse, network.UpdateSection} {
		t.Run(string(d), func(t *testing.T) {
			text := files(t, "updates/"+string(d)+".txt")["testdata/updates/"+string(d)+".txt"]
			doc, updates := updateCase(t, text)
			def := updatedText(t, doc, updates, schema.Rules{})
			assert.NotEqual(t, def, updatedText(t, doc, updates, schema.Rules{Allow: []schema.Deviation{d}}))
			assert.NotEqual(t, def, updatedText(t, doc, updates, compatRules))
		})
	}
}

// updateBase is the network of the cases below.
const updateBase = `<network><name>x</name><forward mode='nat' dev='e1'/><bridge name='bu'/><dns><txt name='a' value='1'/>` +
	`<srv service='s' protocol='tcp' domain='d1' target='t'/><srv service='s' protocol='udp' domain='d1' target='t'/>` +
	`<host ip='10.1.1.9'><hostname>h1</hostname><hostname>h2</hostname></host><host ip='10.1.1.8'><hostname>h1</hostname></host></dns>` +
	`<ip address='10.1.1.1' prefix='24'><dhcp><range start='10.1.1.20' end='10.1.1.30'/><host mac='52:54:00:00:00:01' name='h1' ip='10.1.1.5'/>` +
	`<host mac='52:54:00:00:00:02' name='h2' ip='10.1.1.6'/></dhcp></ip><ip address='10.1.2.1' prefix='24'/>` +
	`<ip family='ipv6' address='2001:db8::1' prefix='64'/></network>`

func TestUpdateKinds(t *testing.T) {
	none := errors.New("accepted")
	var (
		host, rng, iface = network.SectionDHCPHost, network.SectionDHCPRange, network.SectionForwardInterface
		group, dnsHost   = network.SectionPortGroup, network.SectionDNSHost
		txt, srv         = network.SectionDNSTXT, network.SectionDNSSRV
		mod, del, add    = network.CommandModify, network.CommandDelete, network.CommandAddLast
	)
	const violation = "violation"
	for _, test := range []struct {
		name    string
		u       network.Update
		compat  any // an error, or the word violation
		def     any
		changed string // what the document then has
		gone    string // and has no more
	}{
		{"U01", network.Update{network.SectionBridge, mod, 0, `<bridge name='q'/>`}, errors.ErrUnsupported, none, "name='q'", "name='bu'"},
		{"U02", network.Update{group, add, 0, `<group name='q'/>`}, violation, violation, "", ""},
		{"U03", network.Update{host, add, 0, `<host mac='52:54:0:0:0:1' ip='10.1.1.77'/>`}, fs.ErrExist, fs.ErrExist, "", ""},
		{"U04", network.Update{host, add, 0, `<host name='n' ip='192.0.2.1'/>`}, none, violation, "", ""},
		{"U05", network.Update{host, add, 0, `<host name='n' ip='2001:db8::9'/>`}, violation, violation, "", ""},
		{"U06", network.Update{host, add, 2, `<host name='n' ip='10.1.2.9'/>`}, fs.ErrExist, fs.ErrExist, "", ""},
		{"U07", network.Update{host, add, 3, `<host name='n' ip='2001:db8::9'/>`}, none, none, "name='n' ip='2001:db8::9'", ""},
		{"U08", network.Update{host, add, 8, `<host name='n' ip='10.1.1.9'/>`}, fs.ErrNotExist, fs.ErrNotExist, "", ""},
		{"U09", network.Update{host, mod, 0, `<host name='h2' ip='10.1.1.55'/>`}, none, none, "<host name='h2' ip='10.1.1.55'/>", "52:54:00:00:00:02"},
		{"U10", network.Update{host, del, 0, `<host name='h1' ip='10.1.1.6'/>`}, fs.ErrNotExist, fs.ErrNotExist, "", ""},
		{"U11", network.Update{host, del, 0, `<host id='01'/>`}, violation, violation, "", ""},
		{"U12", network.Update{rng, mod, 0, `<range start='10.1.1.20' end='10.1.1.30'/>`}, errors.ErrUnsupported, errors.ErrUnsupported, "", ""},
		{"U13", network.Update{rng, add, 0, `<range start='10.1.1.25' end='10.1.1.35'/>`}, none, violation, "", ""},
		{"U14", network.Update{rng, del, 0, `<range start='10.1.1.20' end='10.1.1.31'/>`}, fs.ErrNotExist, fs.ErrNotExist, "", ""},
		{"U15", network.Update{iface, add, 0, `<interface dev='e2'/>`}, violation, none, "dev='e2'", ""},
		{"U16", network.Update{iface, del, 0, `<interface dev='e1'/>`}, none, none, "<forward mode='nat'", "dev='e1'"},
		{"U17", network.Update{group, add, 0, `<portgroup name='v'><vlan><tag id='4'/></vlan></portgroup>`}, none, violation, "", ""},
		{"U18", network.Update{group, del, 0, `<portgroup name='zz'/>`}, fs.ErrNotExist, fs.ErrNotExist, "", ""},
		{"U19", network.Update{dnsHost, add, 0, `<host ip='10.1.1.9'><hostname>n</hostname></host>`}, fs.ErrExist, fs.ErrExist, "", ""},
		{"U20", network.Update{dnsHost, del, 0, `<host><hostname>h1</hostname></host>`}, violation, violation, "", ""},
		{"U21", network.Update{dnsHost, del, 0, `<host><hostname>h2</hostname></host>`}, none, none, "10.1.1.8", "10.1.1.9"},
		{"U22", network.Update{dnsHost, mod, 0, `<host ip='10.1.1.9'/>`}, violation, violation, "", ""},
		{"U23", network.Update{txt, mod, 0, `<txt name='a'/>`}, violation, violation, "", ""},
		{"U24", network.Update{srv, add, 0, `<srv service='s' protocol='tcp'/>`}, fs.ErrExist, fs.ErrExist, "", ""},
		{"U25", network.Update{srv, del, 0, `<srv service='s'/>`}, violation, violation, "", ""},
		{"U26", network.Update{srv, del, 0, `<srv protocol='udp'/>`}, none, none, "protocol='tcp'", "protocol='udp'"},
		{"U27", network.Update{srv, mod, 0, `<srv protocol='udp'/>`}, errors.ErrUnsupported, errors.ErrUnsupported, "", ""},
		{"no command", network.Update{txt, 0, 0, `<txt name='b' value='2'/>`}, errors.ErrUnsupported, errors.ErrUnsupported, "", ""},
		{"no section", network.Update{0, add, 0, `<txt name='b' value='2'/>`}, errors.ErrUnsupported, errors.ErrUnsupported, "", ""},
		{"not XML", network.Update{txt, add, 0, `<txt name='b' value='2'>`}, violation, violation, "", ""},
		{"not known", network.Update{txt, add, 0, `<txt name='b' value='2' colour='red'/>`}, none, violation, "", ""},
		{"a domain", network.Update{network.SectionDomain, add, 0, `<domain name='lab.example'/>`}, errors.ErrUnsupported, none, "lab.example", ""},
		{"no domain", network.Update{network.SectionDomain, del, 0, `<domain/>`}, errors.ErrUnsupported, fs.ErrNotExist, "", ""},
		{"an address", network.Update{network.SectionIP, add, 0, `<ip address='10.1.3.1' prefix='24'/>`}, errors.ErrUnsupported, none, "10.1.3.1", ""},
		{"another address", network.Update{network.SectionIP, mod, 2, `<ip address='10.1.3.1' prefix='24'/>`}, errors.ErrUnsupported, none, "10.1.3.1", "10.1.2.1"},
		{"no address", network.Update{network.SectionIP, del, 0, `<ip address='10.1.2.1'/>`}, errors.ErrUnsupported, none, "", "10.1.2.1"},
		{"the address that is there", network.Update{network.SectionIP, add, 0, `<ip address='10.1.2.1' prefix='25'/>`}, errors.ErrUnsupported, fs.ErrExist, "", ""},
		{"a mode", network.Update{network.SectionForward, mod, 0, `<forward mode='route'/>`}, errors.ErrUnsupported, none, "mode='route'", "mode='nat'"},
		{"isolated", network.Update{network.SectionForward, del, 0, `<forward/>`}, errors.ErrUnsupported, none, "", "<forward"},
		{"no pf", network.Update{network.SectionForwardPF, del, 0, `<pf dev='e1'/>`}, errors.ErrUnsupported, fs.ErrNotExist, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			checkUpdateKind(t, test.u, compatRules, test.compat, none, test.changed, test.gone)
			checkUpdateKind(t, test.u, schema.Rules{}, test.def, none, test.changed, test.gone)
		})
	}
}

func checkUpdateKind(t *testing.T, u network.Update, rules schema.Rules, want any, none error, changed, gone string) {
	t.Helper()
	n, err := network.Parse(strings.NewReader(updateBase))
	require.NoError(t, err)
	updated, err := n.UpdatedAs(rules, u)
	switch want := want.(type) {
	case string:
		var vs schema.Violations
		require.ErrorAs(t, err, &vs)
		require.NotErrorIs(t, err, errors.ErrUnsupported)
		checkPlaces(t, vs)
	case error:
		if want == none {
			require.NoError(t, err)
			text, err := updated.Format()
			require.NoError(t, err)
			assert.Contains(t, string(text), changed)
			if gone != "" {
				assert.NotContains(t, string(text), gone)
			}
			return
		}
		require.ErrorIs(t, err, want)
	}
}

// checkPlaces checks that each violation of a fragment says where.
func checkPlaces(t *testing.T, vs schema.Violations) {
	t.Helper()
	for _, v := range vs {
		assert.NotEmpty(t, v.Path)
		assert.NotEmpty(t, v.Msg)
	}
}

func TestUpdateWords(t *testing.T) {
	u := network.Update{Section: network.SectionDHCPHost, Command: network.CommandAddFirst, IP: 2, XML: "<host/>"}
	assert.Equal(t, "add-first ip-dhcp-host --parent-index 1 <host/>", u.String())
	var c network.Command
	require.NoError(t, c.UnmarshalText([]byte("add")))
	assert.Equal(t, network.CommandAddLast, c)
	assert.Error(t, c.UnmarshalText([]byte("remove")))
	var s network.Section
	assert.ErrorContains(t, s.UnmarshalText([]byte("ip-dhcp-hosts")), "ip-dhcp-host")
	for s := network.SectionBridge; s <= network.SectionDNSSRV; s++ {
		text, err := s.MarshalText()
		require.NoError(t, err)
		var again network.Section
		require.NoError(t, again.UnmarshalText(text))
		assert.Equal(t, s, again)
	}
}

// FuzzUpdated updates a network with XML of any kind in both modes.
func FuzzUpdated(f *testing.F) {
	for _, text := range files(f, "updates/*.txt") {
		doc, updates := updateCase(f, text)
		for _, u := range updates {
			f.Add([]byte(doc), byte(u.Section), byte(u.Command), u.IP, []byte(u.XML))
		}
	}
	f.Fuzz(func(t *testing.T, doc []byte, section, command byte, ip int, xml []byte) {
		u := network.Update{Section: network.Section(section), Command: network.Command(command), IP: ip, XML: string(xml)}
		for _, rules := range []schema.Rules{{}, compatRules} {
			n, err := network.Reader{Compat: rules.Compat}.Parse(strings.NewReader(string(doc)))
			if err != nil {
				continue
			}
			valid := n.ValidateAs(rules) == nil
			before, err := n.Format()
			require.NoError(t, err)
			updated, err := n.UpdatedAs(rules, u)
			after, wrong := n.Format()
			require.NoError(t, wrong)
			require.Equal(t, string(before), string(after))
			if err != nil {
				require.NotEmpty(t, err.Error())
				require.Nil(t, updated)
				continue
			}
			if text, err := updated.Format(); assert.NoError(t, err) && valid && !rules.Compat {
				require.NoError(t, updated.Validate(), "%s", text)
				again, err := network.Parse(strings.NewReader(string(text)))
				require.NoError(t, err)
				require.NoError(t, again.Validate())
			}
		}
	})
}
