// SPDX-License-Identifier: Apache-2.0

package network

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"io/fs"

	"github.com/go-virtnet/virtnet/network/schema"
)

// ParseStatus reads the file in which libvirt keeps a network that runs, /run/libvirt/network/NAME.xml: the <network> in a
// <networkstatus>, as [Parse] reads it. What else libvirt keeps there is about its own rules and classes.
func ParseStatus(r io.Reader) (*Network, error) {
	text, err := io.ReadAll(io.LimitReader(r, schema.MaxSize+1))
	if err != nil {
		return nil, err
	}
	start, end, err := networkIn(text)
	if err != nil {
		return nil, fmt.Errorf("status of a network: %w", err)
	}
	// So that lines are told as they are in the file.
	above := bytes.Repeat([]byte("\n"), bytes.Count(text[:start], []byte("\n")))
	return Parse(bytes.NewReader(append(above, text[start:end]...)))
}

// networkIn finds where the network stands in a status.
func networkIn(text []byte) (start, end int64, err error) {
	d := xml.NewDecoder(bytes.NewReader(text))
	for depth := 0; ; {
		at := d.InputOffset()
		token, err := d.Token()
		if err != nil {
			return 0, 0, fmt.Errorf("no <network> in a <networkstatus>: %w: %w", err, fs.ErrInvalid)
		}
		element, ok := token.(xml.StartElement)
		switch {
		case !ok:
		case depth == 0 && element.Name.Local == "networkstatus":
			depth++
		case depth == 1 && element.Name.Local == "network":
			err := d.Skip()
			return at, d.InputOffset(), err
		default:
			if err := d.Skip(); err != nil {
				return 0, 0, err
			}
		}
	}
}
