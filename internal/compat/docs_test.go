// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
)

var update = flag.Bool("update", false, "write docs/compat.md, docs/rules.md and docs/reliability.md")

// page compares a page of docs with what the source says, or writes it.
func page(t *testing.T, name, want string) {
	t.Helper()
	if *update {
		require.NoError(t, os.MkdirAll(root+"docs", 0o755))
		require.NoError(t, os.WriteFile(root+"docs/"+name, []byte(want), 0o644))
		return
	}
	got, err := os.ReadFile(root + "docs/" + name)
	require.NoError(t, err)
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/%s is not what the source says; go test ./internal/compat -update writes it (-source +page):\n%s", name, diff)
	}
}

// cell makes text fit into a cell of a table.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace(text)
}

// code makes text that stands in a cell code.
func code(text string) string {
	const most = 110
	if len(text) > most {
		text = text[:most] + "…"
	}
	text = strings.NewReplacer("|", `\|`, "\n", " ", "\r", " ").Replace(strings.ToValidUTF8(text, "?"))
	if strings.Contains(text, "`") {
		return "`` " + text + " ``"
	}
	return "`" + text + "`"
}

const compatHead = `# Where this library deviates from libvirt 11.3

Written by ` + "`go test ./internal/compat -update`" + ` from the source; each example is judged in both modes by the test.

A document that breaks one of these rules is accepted by libvirt, and then fails, loses content or does harm. By default this
library refuses it and says why. One rule is left out with ` + "`schema.Rules{Allow: []schema.Deviation{network.BridgeDelay}}`" + `, all of
them with ` + "`schema.Rules{Compat: true}`" + `: then documents are accepted and refused as libvirt does it. Reading has a switch of its
own, ` + "`Reader{Compat: true}`" + `, which also drops what libvirt drops: unknown elements and attributes, and a second one of what
counts once.

| constant | rule | libvirt 11.3 | this library | switched off by | example |
|---|---|---|---|---|---|
`

// TestCompatPage checks docs/compat.md, and that each example is judged as it says.
func TestCompatPage(t *testing.T) {
	var b strings.Builder
	b.WriteString(compatHead)
	all := samples(t)
	for _, r := range sourceRules(t) {
		if !r.deviation() || r.accepts() || r.behaves() || r.ofUpdate() {
			continue
		}
		s, ok := best(all, r, func(s sample) bool { return s.shows(r) })
		if !assert.True(t, ok, "no case shows %s: refused by default, accepted in Compat mode and without this rule", r.ident()) {
			continue
		}
		v := s.breaks(r.name, how{})
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | `Allow: %s` | [%s](../%s) |\n",
			r.ident(), r.name, s.libvirt(t, v.Path), cell(upper(strings.TrimPrefix(r.doc, r.konst+" "))), r.ident(), code(s.line(v.Line)), s.file)
	}
	b.WriteString(updatesText(t))
	b.WriteString(readingsText(t))
	page(t, "compat.md", b.String())
}

// upper returns a sentence that begins with a capital letter.
func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// shows reports whether the document breaks the deviation by default, breaks nothing in Compat mode, and does not break
// the deviation where it alone is left out.
func (s sample) shows(r rule) bool {
	if s.breaks(r.name, how{}) == nil {
		return false
	}
	compat, _ := s.violations(how{rules: schema.Rules{Compat: true}})
	allow := how{rules: schema.Rules{Allow: []schema.Deviation{schema.Deviation(r.name)}}}
	return len(compat) == 0 && s.breaks(r.name, allow) == nil
}

// libvirt says what becomes of the place in Compat mode.
func (s sample) libvirt(t *testing.T, path string) string {
	t.Helper()
	_, d := s.violations(how{rules: compat})
	switch d := d.(type) {
	case *network.Network:
		d.Normalize(compat)
	case *domainiface.Interface:
		d.Normalize(compat)
	case *network.Port:
		d.Normalize()
	}
	text, err := d.Format()
	require.NoError(t, err)
	before, err := parseTree(s.text)
	require.NoError(t, err)
	after, err := parseTree(string(text))
	require.NoError(t, err)
	for !before.has(path) { // what is missing is said about what is around it
		path = path[:strings.LastIndexByte(path, '/')]
	}
	if !after.has(path) {
		return "accepts it and drops it"
	}
	return "accepts it"
}

// ofUpdate reports whether the rule is one of updates.
func (r rule) ofUpdate() bool { return strings.HasPrefix(r.name, "update-") }

// updatesText returns the table of deviations of updates. Package network judges their cases in both modes.
func updatesText(t *testing.T) string {
	var b strings.Builder
	b.WriteString("\n## Live updates\n\n`Network.UpdatedAs(schema.Rules{Compat: true}, …)` updates as libvirt does; these are the differences without it.\n\n| constant | rule | this library | switched off by | example |\n|---|---|---|---|---|\n")
	for _, r := range sourceRules(t) {
		if !r.deviation() || !r.ofUpdate() {
			continue
		}
		file := "network/testdata/updates/" + r.name + ".txt"
		text, err := os.ReadFile(root + file)
		if !assert.NoError(t, err, "no case shows %s", r.ident()) {
			continue
		}
		_, line, ok := strings.Cut(string(text), "-- update ")
		require.True(t, ok, file)
		line, _, _ = strings.Cut(line, " --\n")
		fmt.Fprintf(&b, "| `%s` | %s | %s | `Allow: %s` | [%s](../%s) |\n",
			r.ident(), r.name, cell(upper(strings.TrimPrefix(r.doc, r.konst+" "))), r.ident(), code(line), file)
	}
	return b.String()
}

// A reading is a place where Reader.Compat is more lenient than the default.
type reading struct {
	what, libvirt, we string
	example           sample
}

var readings = []reading{
	{"switches `stp`, `managed` and `default` of networks", "takes any word; what is not `off` is on, what is not `yes` is no", "refuses other words (token-syntax)",
		sample{"network", "<network><name>x</name><bridge stp='maybe'/></network>"}},
	{"`trunk` of a `<vlan>`", "takes `YES`", "refuses other cases (token-syntax)",
		sample{"network", "<network><name>x</name><forward mode='bridge'/><bridge name='br0'/><vlan trunk='YES'><tag id='7'/></vlan></network>"}},
	{"numbers of `connections`", "never reads them", "refuses what is no number (number-syntax)",
		sample{"network", "<network connections='many'><name>x</name></network>"}},
	{"devices of a `<forward>` that others win over", "never reads them", "refuses what cannot be read",
		sample{"network", "<network><name>x</name><forward mode='vepa'><interface dev='eth0'/><address type='usb'/></forward></network>"}},
	{"a lease without an expiry", "never reads its unit", "refuses units that there are not (token-syntax)",
		sample{"network", "<network><name>x</name><ip address='10.1.1.1' prefix='24'><dhcp><range start='10.1.1.2' end='10.1.1.9'><lease unit='days'/></range></dhcp></ip></network>"}},
	{"`managed` of an `<interface>`", "takes any word; what is not `yes` is no", "refuses other words (token-syntax)",
		sample{"domainiface", "<interface type='hostdev' managed='maybe'><source><address type='pci' bus='1'/></source></interface>"}},
	{"the address of a `<mac>`", "ignores what follows a blank", "refuses it (mac-syntax)",
		sample{"domainiface", "<interface type='user'><mac address='52:54:00:00:00:01 and more'/></interface>"}},
	{"`mode` of a `<source>` that is no macvtap device", "never reads it", "refuses modes that there are not (token-syntax)",
		sample{"domainiface", "<interface type='bridge'><source bridge='br0' mode='fast'/></interface>"}},
	{"options of a driver that the model has not", "never reads them", "refuses values that there are not (token-syntax)",
		sample{"domainiface", "<interface type='user'><model type='e1000'/><driver txmode='fast'/></interface>"}},
	{"`writeFiltering` of a USB device", "never reads it", "refuses other words (token-syntax)",
		sample{"domainiface", "<interface type='hostdev'><source writeFiltering='maybe'><address type='usb' bus='1' device='4'/></source></interface>"}},
	{"`timeout` of a `<reconnect>` that is not enabled", "never reads it", "refuses what is no number (number-syntax)",
		sample{"domainiface", "<interface type='vhostuser'><source type='unix' path='/run/s'><reconnect timeout='soon'/></source></interface>"}},
	{"the encoding that a text declares", "takes every text for UTF-8, whatever it says", "refuses other encodings (xml-syntax)",
		sample{"network", "<?xml version='1.0' encoding='ISO-8859-1'?><network><name>x</name></network>"}},
	{"`family` of an `<ip>` in a guest", "takes any word for none", "refuses other families (token-syntax)",
		sample{"domainiface", "<interface type='user'><ip address='192.0.2.5' family='inet'/></interface>"}},
}

// readingsText returns the table of readings, having judged their examples.
func readingsText(t *testing.T) string {
	var b strings.Builder
	b.WriteString("\n## Reading\n\n`Reader{Compat: true}` takes these words, which the zero `Reader` refuses.\n\n| place | libvirt 11.3 | this library | example |\n|---|---|---|---|\n")
	for _, r := range readings {
		def, _ := r.example.violations(how{})
		assert.NotEmpty(t, def, "refused by default: %s", r.example.text)
		lax, _ := r.example.violations(how{rules: compat})
		assert.Empty(t, lax, "accepted in Compat mode: %s", r.example.text)
		fmt.Fprintf(&b, "| %s | %s | %s | `%s` |\n", r.what, r.libvirt, r.we, r.example.text)
	}
	return b.String() + everyMode + acceptedText(t) + behaviourText(t) + correctedText(t)
}

// everyMode is what no test of one document can show.
const everyMode = `
## Other than libvirt in every mode

| what | libvirt 11.3 | this library |
|---|---|---|
| entities that a document defines | replaces them | refuses them (xml-syntax): they make small texts large |
| attributes that a document type defines | normalizes their values by their kinds | reads them as any other |
| one attribute by two prefixes for the same namespace | takes it | refuses it (attribute-once) |
| the scope of an IPv6 address | takes the name of a link that the host has, and writes the name for an index | takes the name of any link, and keeps the index but for ` + "`lo`" + `: which links there are is a question to the host |
| the name of an encoding that there is not | refuses it | ` + "`Reader{Compat: true}`" + ` takes it |
`

const acceptedHead = `
## Refused by libvirt, accepted here

Without the constant the document is refused, as with ` + "`Compat`" + `.

| constant | libvirt 11.3 | this library | example |
|---|---|---|---|
`

// An acceptance is a deviation by which a document is accepted that libvirt refuses without need.
type acceptance struct {
	ident, libvirt, we string
	allow              schema.Deviation
	example            sample
}

var acceptances = []acceptance{
	{"network.VLANMerged", "refuses a vlan in a port group with an untyped `<virtualport>`, its own sample among them", "judges by the type that group and network have together",
		network.VLANMerged, sample{"network", "<network><name>x</name><forward mode='bridge'/><bridge name='ovs0'/><virtualport type='openvswitch'/>" +
			"<portgroup name='a'><vlan><tag id='7'/></vlan><virtualport><parameters profileid='p'/></virtualport></portgroup></network>"}},
	{"network.SeveralUplinks", "takes one device in the modes nat and route", "lets guests out by each of several",
		network.SeveralUplinks, sample{"network", "<network><name>x</name><forward mode='nat'><interface dev='eth0'/><interface dev='eth1'/></forward><ip address='10.1.1.1' prefix='24'/></network>"}},
	{"network.NaturalRoute", "takes a route without a size for one to everything, and then refuses its address", "gives it the size of the address's class",
		network.NaturalRoute, sample{"network", "<network><name>x</name><ip address='10.1.1.1' prefix='24'/><route address='192.168.7.0' gateway='10.1.1.2'/></network>"}},
	{"network.LargeRange", "takes ranges of up to 65536 addresses, in IPv6 of one /112", "takes what the subnet has, in IPv6 of one /64",
		network.LargeRange, sample{"network", "<network><name>x</name><ip family='ipv6' address='2001:db8::1' prefix='64'><dhcp><range start='2001:db8::1:0' end='2001:db8::ff:ffff'/></dhcp></ip></network>"}},
	{"network.PortUUID", "demands the uuid of a port, against its own documentation", "makes one up with the port",
		network.PortUUID, sample{"network", "<networkport><owner><name>web</name><uuid>0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9</uuid></owner><mac address='52:54:00:00:00:01'/></networkport>"}},
	{"network.OwnerUUID", "demands the uuid of the owner", "knows an owner without one by its name",
		network.OwnerUUID, sample{"network", "<networkport><uuid>7f7a3a4c-5d6e-4f70-8192-a3b4c5d6e7f8</uuid><owner><name>web</name></owner><mac address='52:54:00:00:00:01'/></networkport>"}},
}

// accepts reports whether the rule is there to accept something, and not to refuse it.
func (r rule) accepts() bool { return r.deviation() && strings.HasPrefix(r.doc, r.konst+" accepts ") }

// acceptedText returns the table of acceptances, having judged their examples.
func acceptedText(t *testing.T) string {
	var b strings.Builder
	b.WriteString(acceptedHead)
	listed := map[string]bool{}
	for _, a := range acceptances {
		listed[a.ident] = true
		def, _ := a.example.violations(how{})
		assert.Empty(t, def, "accepted by default: %s", a.example.text)
		refused, _ := a.example.violations(how{rules: compat})
		assert.NotEmpty(t, refused, "refused in Compat mode: %s", a.example.text)
		refused, _ = a.example.violations(how{rules: schema.Rules{Allow: []schema.Deviation{a.allow}}})
		assert.NotEmpty(t, refused, "refused without %s: %s", a.ident, a.example.text)
		fmt.Fprintf(&b, "| `%s` | %s | %s | `%s` |\n", a.ident, a.libvirt, a.we, a.example.text)
	}
	for _, r := range sourceRules(t) {
		assert.True(t, !r.accepts() || listed[r.ident()], "%s has no example", r.ident())
	}
	return b.String()
}

const behaviourHead = `
## Done differently

These say nothing about one document, but about what is done with several, with a network that runs, or on a host.

| constant | libvirt 11.3 | this library | shown by |
|---|---|---|---|
`

// A behaviour is a deviation that no document alone shows, with the test that does.
type behaviour struct {
	ident, libvirt string
	test           string // package: name
}

var behaviours = []behaviour{
	{"domainiface.GuestMAC", "accepts it", "domainiface: TestValidateGuest"},
	{"domainiface.GuestTarget", "fails when the guest is started", "domainiface: TestValidateGuest"},
	{"domainiface.DirectLeft", "leaves it so", "domainiface: TestDirectLeft"},
	{"domainiface.DirectNode", "opens the other one", "network/linux: TestOpenMacvtapInNamespaces"},
	{"domainiface.DirectSilent", "speaks", "network/linux: TestMacvtapIsSilent"},
	{"domainiface.AssociationForgotten", "never notices", "network/linux: TestAssociationHeals"},
	{"domainiface.DirectUndone", "leaves it so", "domainiface: TestAttachDirectAtomic"},
	{"domainiface.EarlyIdentity", "refuses the interface when it is attached", "domainiface: TestEarlyIdentity"},
	{"domainiface.FunctionAnew", "sets it there", "domainiface: TestFunctionLost"},
	{"domainiface.FunctionBusy", "takes it", "domainiface: TestAttachFunctionRefuses"},
	{"domainiface.FunctionExact", "leaves them", "domainiface: TestFunctionExact"},
	{"domainiface.FunctionGroup", "fails when the guest is started", "domainiface: TestAttachFunctionRefuses"},
	{"domainiface.PluggedCoalesce", "accepts it", "domainiface: TestPluggedDevice"},
	{"domainiface.PluggedMTU", "accepts it", "domainiface: TestPluggedDevice"},
	{"domainiface.UpdateCompares", "accepts it", "domainiface: TestUpdateCompares"},
	{"domainiface.UpdateKeepsMAC", "refuses it", "domainiface: TestUpdateKeepsMAC"},
	{"domainiface.UpdateResolved", "loses them", "domainiface: TestUpdateResolved"},
	{"domainiface.UpdateUndone", "leaves it so", "domainiface: TestUpdateAtomic"},
	{"domainiface.UpdateUntouched", "runs hooks and chooses again", "domainiface: TestUpdate"},
	{"network.NoZone", "fails", "network: TestPlanZone"},
	{"network.RegisterTried", "fails", "network: TestRegister"},
	{"network.PortCounts", "begins again at 0", "network: TestPortCounts"},
	{"network.PortOnce", "chooses first", "network: TestPortOnce"},
	{"network.PortReleased", "reports failure", "network: TestPortFaults"},
	{"network.PortStays", "forgets them", "network: TestPorts"},
	{"network.PortUndone", "leaves them", "network: TestPortFaults"},
	{"network.UnknownGroup", "accepts it", "network: TestResolveUnknownGroup"},
	{"network.BrokenCounts", "lists it uncounted", "network: TestBrokenPort"},
	{"network.Advertised", "writes `ra-only` for each of them, or nothing", "network: TestServerDeviations"},
	{"network.HostID", "accepts it and drops it", "network: TestServerDeviations"},
	{"network.HostLeases", "writes `dhcp-lease-max` without them", "network: TestServerDeviations"},
	{"network.HostNames", "has no record of it", "network: TestServerDeviations"},
	{"network.LongLease", "writes the number as it is", "network: TestServerDeviations"},
	{"network.OneTFTP", "writes all of them", "network: TestServerDeviations"},
	{"network.ServerValues", "writes them as they are", "network: TestServerDeviations"},
	{"network.BusyDevice", "fails when the guest is started", "network: TestBusyDevices"},
	{"network.ClassLimit", "asks the kernel for a class it cannot have", "network: TestClasses"},
	{"domainiface.OVSConfirmed", "leaves a port that carries nothing", "network/linux: TestOVSRestarts"},
	{"domainiface.OVSLimited", "guarantees it and limits nothing", "network/linux: TestOVSLeavesNothing"},
	{"domainiface.OVSPoliced", "attaches it without the limit", "domainiface: TestNotAttachedToOVS"},
	{"domainiface.OVSResolved", "loses it", "domainiface: TestUpdateOnOVS"},
	{"domainiface.OVSTaken", "takes it over", "domainiface: TestNotAttachedToOVS"},
	{"network.FreshFunctions", "refuses a port that could have a device", "network: TestFunctionsComeAndGo"},
	{"network.HeldAlone", "accepts it", "network: TestPrivateDevices"},
	{"network.HeldElsewhere", "accepts it", "network: TestAcrossNetworks"},
	{"network.OwnClass", "keeps it, and may crash when the port is deleted", "network: TestClassOfCaller"},
	{"network.PortGivesBack", "refuses it", "network: TestReplace"},
	{"network.ReclaimBridge", "accepts it", "network: TestReclaimBridge"},
	{"network.ReclaimFloor", "accepts it", "network: TestReclaimFloor"},
	{"network.ReleaseRecorded", "keeps the port", "network: TestReleaseOfWhatIsGone"},
	{"virtualport.EmptyParameters", "writes it", "virtualport: TestEmptyParameters"},
	{"virtualport.ForeignParameter", "accepts it and drops it", "virtualport: TestForeignParameter"},
	{"virtualport.MidonetMerge", "refuses the interface when it is attached", "virtualport: TestMidonetMerge"},
	{"virtualport.UntypedProfile", "refuses the interface when it is attached", "virtualport: TestUntypedProfile"},
}

// behaves reports whether the rule is about more than a document.
func (r rule) behaves() bool { return r.deviation() && strings.HasPrefix(r.doc, r.konst+" corrects") }

// behaviourText returns the table of behaviours, having looked for their tests.
func behaviourText(t *testing.T) string {
	var b strings.Builder
	b.WriteString(behaviourHead)
	listed := map[string]behaviour{}
	for _, of := range behaviours {
		listed[of.ident] = of
	}
	for _, r := range sourceRules(t) {
		if !r.behaves() {
			continue
		}
		of, ok := listed[r.ident()]
		if !assert.True(t, ok, "%s has no test", r.ident()) {
			continue
		}
		delete(listed, r.ident())
		assert.True(t, hasTest(t, of.test), "there is no test %s", of.test)
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", r.ident(), of.libvirt, cell(upper(strings.TrimPrefix(r.doc, r.konst+" "))), of.test)
	}
	assert.Empty(t, listed)
	return b.String()
}

// hasTest reports whether a package has a test function.
func hasTest(t *testing.T, where string) bool {
	pkg, name, _ := strings.Cut(where, ": ")
	files, err := filepath.Glob(root + pkg + "/*_test.go")
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		if strings.Contains(string(text), "\nfunc "+name+"(t *testing.T) {") {
			return true
		}
	}
	return false
}

const rulesHead = `# The rules

Written by ` + "`go test ./internal/compat -update`" + ` from the source: the name of each rule, what it says, and a document that breaks
it, with what is then said. Rules that libvirt 11.3 does not have are marked with their constant; see [compat.md](compat.md).
Rules marked *strict* hold with ` + "`Reader{Strict: true}`" + ` only, those marked *hypervisor* with ` + "`ValidateOn`" + ` that hypervisor, those
marked *host* with ` + "`ValidateHost`" + `, and those marked *compat* only as libvirt has them.
`

// inGuest are the rules of domainiface.ValidateGuest, which looks at several documents.
var inGuest = map[string]bool{"guest-alias": true, "guest-boot": true}

// elsewhere are the rules whose document is too large for a file, or no document at all, with the test that has it.
var elsewhere = map[string]string{
	"xml-size":     "internal/xmldoc: TestLimits",
	"xml-depth":    "internal/xmldoc: TestLimits",
	"value-syntax": "internal/xmldoc: TestValueWithoutRule",
}

// TestRulesPage checks docs/rules.md, and that each example breaks its rule.
func TestRulesPage(t *testing.T) {
	var b strings.Builder
	b.WriteString(rulesHead)
	all := samples(t)
	pkg := ""
	for _, r := range sourceRules(t) {
		if r.accepts() || r.behaves() || inGuest[r.name] {
			continue
		}
		if r.pkg != pkg {
			pkg = r.pkg
			fmt.Fprintf(&b, "\n## Package %s\n\n| rule | reason | example | says |\n|---|---|---|---|\n", pkg)
		}
		where := elsewhere[r.name]
		if r.ofUpdate() {
			where = "network: TestUpdateDeviations"
		}
		if strings.HasPrefix(r.name, "attach-") {
			where, r.doc = "domainiface: TestExplain", verbs.Replace(r.doc)
		}
		if where != "" {
			fmt.Fprintf(&b, "| %s | %s | %s | |\n", r.name, cell(r.doc), where)
			continue
		}
		b.WriteString(ruleRow(t, all, r))
	}
	page(t, "rules.md", b.String())
}

// verbs are what stands for the values in what a rule says.
var verbs = strings.NewReplacer("%s", "…", "%d", "…", "%q", "…")

// ruleRow returns the row of a rule.
func ruleRow(t *testing.T, all []sample, r rule) string {
	t.Helper()
	for _, way := range []struct {
		mark string
		how
	}{{"", how{}}, {" *(strict)*", how{strict: true}}, {" *(hypervisor)*", how{qemu: true}}, {" *(host)*", how{host: true}}, {" *(compat)*", how{rules: compat}}} {
		s, ok := best(all, r, func(s sample) bool { return s.breaks(r.name, way.how) != nil })
		if !ok {
			continue
		}
		v := s.breaks(r.name, way.how)
		name, reason := r.name+way.mark, cell(verbs.Replace(r.doc))
		if r.deviation() {
			name += " `" + r.ident() + "`"
			reason = cell(upper(strings.TrimPrefix(r.doc, r.konst+" ")))
		}
		return fmt.Sprintf("| %s | %s | [%s](../%s) | %s |\n", name, reason, code(s.line(v.Line)), s.file, cell(v.Msg))
	}
	assert.Fail(t, "no case in testdata/rules breaks the rule "+r.name)
	return ""
}
