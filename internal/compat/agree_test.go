// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
)

var compat = schema.Rules{Compat: true}

// readNetwork returns what this library makes of a <network> in Compat mode: the document as it would be kept.
func readNetwork(text string) (*network.Network, error) {
	n, err := network.Reader{Compat: true}.Parse(strings.NewReader(text))
	if n != nil {
		err = schema.Join(err, n.ValidateAs(compat))
		n.Normalize(compat)
	}
	return n, err
}

// errBareHost is what libvirt said of functions of PCI devices where the documents were judged.
var errBareHost = errors.New("the host has no SR-IOV hardware")

// readOnBareHost is readNetwork on that host. What a document says is for this library's rules; whether the device exists
// is a question to the host, which libvirt asks when it defines a network.
func readOnBareHost(text string) (*network.Network, error) {
	n, err := readNetwork(text)
	if err == nil && n.Mode() == network.ForwardHostdev && n.Forward.Dev == "" && len(n.Forward.Interfaces) == 0 && len(n.Forward.Addresses) > 0 {
		err = errBareHost
	}
	return n, err
}

// readInterface is readNetwork for an <interface>.
func readInterface(text string) (*domainiface.Interface, error) {
	i, err := domainiface.Reader{Compat: true}.Parse(strings.NewReader(text))
	if i == nil || err != nil {
		return nil, err
	}
	if err := i.ValidateAs(compat); err != nil {
		return nil, err
	}
	if i, err = i.CompleteAs(zeros{}, compat); err != nil {
		return nil, err
	}
	i.Normalize(compat)
	return i, nil
}

// readPort is readNetwork for a <networkport>.
func readPort(text string) (*network.Port, error) {
	p, err := network.Reader{Compat: true}.ParsePort(strings.NewReader(text))
	if p != nil {
		err = schema.Join(err, p.ValidateAs(compat))
		p.Normalize()
	}
	return p, err
}

// zeros is no randomness at all: what is made up is not compared.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// A verdict is what somebody says about a document: that something is wrong with it, or how it reads when it is kept.
type verdict struct{ wrong, text string }

func (v verdict) String() string {
	if v.wrong != "" {
		return "rejected: " + v.wrong
	}
	return "accepted:\n" + v.text
}

// judge returns our verdict on a document. A reader that panics has not agreed.
func judge[D interface{ Format() ([]byte, error) }](text string, read func(string) (D, error)) (v verdict, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	d, wrong := read(text)
	if wrong != nil {
		return verdict{wrong: wrong.Error()}, nil
	}
	formatted, err := d.Format()
	return verdict{text: string(formatted)}, err
}

// A tally counts the documents of one file or folder, or what else kind says.
type tally struct {
	t           *testing.T
	name, kind  string
	total, same int
}

// note counts one document; disagreement is "" when both agree on it.
func (c *tally) note(id, disagreement string) {
	c.total++
	if disagreement == "" {
		c.same++
		return
	}
	c.t.Errorf("%s: %s", id, disagreement)
}

// report prints the line that counts.
func (c *tally) report() {
	kind := cmp.Or(c.kind, "documents")
	fmt.Printf("%s: %d %s, %d agree\n", c.name, c.total, kind, c.same)
	if c.total == 0 || c.same != c.total {
		c.t.Errorf("%s: %d of %d %s agree", c.name, c.same, c.total, kind)
	}
}

// disagree compares verdicts; made removes from libvirt's document, and from ours, what it made up because the input
// had none.
func disagree(input string, want, got verdict, made func(input, document *tree)) string {
	differ := fmt.Sprintf("\n-- document --\n%s\n-- expected --\n%s\n-- got --\n%s", input, want, got)
	if want.wrong != "" || got.wrong != "" {
		if want.wrong != "" && got.wrong != "" {
			return ""
		}
		return differ
	}
	in, err := parseTree(input)
	if err != nil {
		return fmt.Sprintf("the input is accepted and not well-formed: %v%s", err, differ)
	}
	ours, err := parseTree(got.text)
	if err != nil {
		return fmt.Sprintf("what we write is not well-formed: %v%s", err, differ)
	}
	theirs, err := parseTree(escaped(want.text))
	if err != nil {
		return fmt.Sprintf("what libvirt writes is not well-formed: %v%s", err, differ)
	}
	made(in, ours)
	made(in, theirs)
	theirs.adopt("driver", "forward")
	if ours.String() == theirs.String() {
		return ""
	}
	return fmt.Sprintf("%s\n-- expected tree --\n%s\n-- got tree --\n%s", differ, theirs, ours)
}

// unescaped are the lines in which libvirt writes values as they are, one value a group: it makes documents that cannot be
// read, or that say something else. Each line is made of what stands before a value, the value, and what stands after.
var unescaped = []*regexp.Regexp{
	regexp.MustCompile(`(?sm)^( *<domain name=')(.*?)('(?: localOnly='\w+')?(?: register='\w+')?/>)$`),
	regexp.MustCompile(`(?sm)^( *<portgroup name=')(.*?)('(?: default='yes')?(?: trustGuestRxFilters='\w+')?>)$`),
	regexp.MustCompile(`(?sm)^( *<host mac=')(.*?)('(?: id='.*?')?(?: name='.*?')? ip='[^']*'/?>)$`),
	regexp.MustCompile(`(?sm)^( *<host (?:mac='[^']*' )?id=')(.*?)('(?: name='.*?')? ip='[^']*'/?>)$`),
	regexp.MustCompile(`(?sm)^( *<host (?:mac='[^']*' )?(?:id='[^']*' )?name=')(.*?)(' ip='[^']*'/?>)$`),
	regexp.MustCompile(`(?sm)^( *<filterref filter=')(.*?)('/?>)$`),
	regexp.MustCompile(`(?sm)^( *<parameters [^\n]*?profileid=')(.*?)('/>)$`),
}

// escaped returns a document of libvirt with those values escaped.
func escaped(text string) string {
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "'", "&apos;")
	for _, line := range unescaped {
		text = line.ReplaceAllStringFunc(text, func(match string) string {
			part := line.FindStringSubmatch(match)
			return part[1] + escape.Replace(part[2]) + part[3]
		})
	}
	return text
}

// compare runs a file of records.
func compare[D interface{ Format() ([]byte, error) }](t *testing.T, name, file string, read func(string) (D, error), made func(input, document *tree)) {
	compareAll(t, name, records(t, file), read, made)
}

func compareAll[D interface{ Format() ([]byte, error) }](t *testing.T, name string, all []record, read func(string) (D, error), made func(input, document *tree)) {
	c := tally{t: t, name: name}
	for i, r := range all {
		id := r.ID
		if id == "" {
			id = fmt.Sprintf("line %d", i+1)
		}
		want := verdict{text: r.Canonical}
		if !r.Accept {
			want = verdict{wrong: fmt.Sprint(r.Error)}
		}
		got, err := judge(r.XML, read)
		if err != nil {
			c.note(id, err.Error())
			continue
		}
		c.note(id, disagree(r.XML, want, got, made))
	}
	c.report()
}

func TestNetworks(t *testing.T) {
	compare(t, "networks", "networks.jsonl", readOnBareHost, madeForNetwork)
}

func TestInterfaces(t *testing.T) {
	compare(t, "interfaces", "interfaces.jsonl", readInterface, madeForInterface)
}

// TestJudged compares documents of our own that libvirt 11.3 has judged: what is given twice, addresses on all buses,
// scopes, zeros, and the corners of XML.
func TestJudged(t *testing.T) {
	compareAll(t, "judged networks", recordsIn(t, "testdata/judged-networks.jsonl"), readOnBareHost, madeForNetwork)
	compareAll(t, "judged interfaces", recordsIn(t, "testdata/judged-interfaces.jsonl"), readInterface, madeForInterface)
}

// madeForNetwork removes what libvirt makes up for a network: uuid, mac and bridge name, where the input has none or,
// for the name, a template.
func madeForNetwork(in, document *tree) {
	if in.child("uuid") == nil || in.child("uuid").text == "" {
		document.drop("uuid")
	}
	if in.child("mac").attr("address") == "" {
		document.drop("mac")
	}
	if name := in.child("bridge").attr("name"); name == "" || strings.Contains(name, "%d") && managed(document) {
		document.child("bridge").dropAttr("name")
	}
}

// managed reports whether the <network> makes its own bridge.
func managed(document *tree) bool {
	switch document.child("forward").attr("mode") {
	case "", "nat", "route", "open":
		return true
	}
	return false
}

// madeForInterface removes what libvirt makes up for an interface: the name that the test driver gives the device on
// the host, and the values of its mac and of the identities in its profile, where the input has none. That there is
// such a value has to agree.
func madeForInterface(in, document *tree) {
	const made = "made up"
	target := document.child("target")
	if dev := target.attr("dev"); strings.HasPrefix(dev, "testnet") && dev != in.child("target").attr("dev") {
		target.dropAttr("dev")
		if len(target.attrs) == 0 {
			document.drop("target")
		}
	}
	var mac schema.MAC
	if err := mac.UnmarshalLax([]byte(in.child("mac").attr("address"))); err != nil || mac.IsZero() {
		document.child("mac").set("address", made)
	}
	profile := document.child("virtualport").child("parameters")
	for _, id := range []string{"instanceid", "interfaceid"} {
		if in.child("virtualport").profile().attr(id) == "" && profile.attr(id) != "" {
			profile.set(id, made)
		}
	}
}
