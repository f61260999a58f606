// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
)

// A started is a network that was started, and the updates of its live document, each of what the one before left.
type started struct {
	ID      string
	Network string
	Started bool
	Live    string
	Updates []struct {
		Section, Command, XML string
		Index                 int
		Accept                bool
		Error                 any // for people
		Live                  string
	}
}

// startedNetworks reads a file of networks that were started.
func startedNetworks(t testing.TB, name string) []started {
	t.Helper()
	f, err := os.Open(corpus(t, name))
	require.NoError(t, err)
	defer f.Close()
	var all []started
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var s started
		require.NoError(t, json.Unmarshal(lines.Bytes(), &s), "%s, record %d", name, len(all)+1)
		all = append(all, s)
	}
	require.NoError(t, lines.Err())
	require.NotEmpty(t, all, name)
	return all
}

// updateOf returns an update in the words of virsh, with the index of its <ip> counted from 0.
func updateOf(section, command string, index int, xml string) (u network.Update, err error) {
	u.IP, u.XML = max(index+1, 0), xml
	if err = u.Section.UnmarshalText([]byte(section)); err == nil {
		err = u.Command.UnmarshalText([]byte(command))
	}
	return u, err
}

// judgeUpdate returns our verdict on an update, and what becomes of the network.
func judgeUpdate(n *network.Network, u network.Update) (v verdict, updated *network.Network, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	updated, wrong := n.UpdatedAs(compat, u)
	if wrong != nil {
		return verdict{wrong: wrong.Error()}, n, nil
	}
	text, err := updated.Format()
	return verdict{text: string(text)}, updated, err
}

// TestUpdates wants every update judged as libvirt did, and the live document after it to be the same. It looks at documents
// alone: what an update does to a host is for the tests of package network.
func TestUpdates(t *testing.T) {
	c := tally{t: t, name: "updates", kind: "updates"}
	if file := os.Getenv(corpusVar); file != "" {
		c.starts(startedNetworks(t, "starts.jsonl"))
	}
	c.updatePairs(t)
	c.report()
}

// starts judges the updates of networks that were started, one after the other.
func (c *tally) starts(all []started) {
	for _, s := range all {
		if len(s.Updates) == 0 {
			continue
		}
		n, err := readNetwork(s.Live)
		for i, u := range s.Updates {
			id := fmt.Sprintf("%s, update %d: %s %s %d %s", s.ID, i+1, u.Command, u.Section, u.Index, u.XML)
			if err != nil {
				c.note(id, fmt.Sprintf("its network is refused: %v", err))
				continue
			}
			ours, wrong := updateOf(u.Section, u.Command, u.Index, u.XML)
			require.NoError(c.t, wrong, id)
			got, updated, wrong := judgeUpdate(n, ours)
			if wrong != nil {
				c.note(id, wrong.Error())
				continue
			}
			want := verdict{text: u.Live}
			if !u.Accept {
				want = verdict{wrong: fmt.Sprint(u.Error)}
			}
			c.note(id, disagree(s.Live, want, got, func(_, document *tree) { document.dropAttr("connections") }))
			n = updated
			if u.Accept && got.wrong != "" { // what follows is judged by what libvirt has
				n, err = readNetwork(u.Live)
			}
		}
	}
}

func (c *tally) updatePairs(t *testing.T) {
	in := documents(t, "networkxml2xmlupdatein")
	out := documents(t, "networkxml2xmlupdateout")
	bases := documents(t, "networkxml2xmlin")
	for k, v := range out {
		bases["out:"+k] = v
	}
	bn := sorted(bases)
	for _, b := range bn {
		n, err := readUndefined(bases[b])
		if err != nil {
			continue
		}
		for _, f := range sorted(in) {
			for sec := network.SectionBridge; sec <= network.SectionDNSSRV; sec++ {
				for cmd := network.CommandModify; cmd <= network.CommandAddFirst; cmd++ {
					v, _, err := judgeUpdate(n, network.Update{Section: sec, Command: cmd, IP: 1, XML: in[f]})
					require.NoError(t, err)
					if v.wrong != "" {
						continue
					}
					for _, o := range sorted(out) {
						if disagree(bases[b], verdict{text: out[o]}, v, madeForNetwork) == "" {
							fmt.Println(b, f, sec, cmd, "->", o)
						}
					}
				}
			}
		}
	}
	_ = strings.Join
}
