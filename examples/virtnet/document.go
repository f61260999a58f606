// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
)

// A document is any of the documents the program knows.
type document interface {
	Validate() error
	Format() ([]byte, error)
}

// maxDocument is how much of a file is read at all; the readers of documents have a lower limit of their own.
const maxDocument = 64 << 20

// read reads the document in a file; "-" is the standard input. With an error there may be a document as well, without
// what could not be read.
func read(file string) (document, error) {
	text, err := readFile(file)
	if err != nil {
		return nil, err
	}
	switch root := rootElement(text); root {
	case "networkport":
		return orNil(network.ParsePort(bytes.NewReader(text)))
	case "interface":
		return orNil(domainiface.Parse(bytes.NewReader(text)))
	default:
		// Whatever else it is, the network's reader says best what is wrong with it.
		return orNil(network.Parse(bytes.NewReader(text)))
	}
}

// orNil keeps a nil pointer from becoming a document.
func orNil[D interface {
	document
	comparable
}](d D, err error) (document, error) {
	var none D
	if d == none {
		return nil, err
	}
	return d, err
}

func readFile(file string) ([]byte, error) {
	f := os.Stdin
	if file != "-" {
		var err error
		if f, err = os.Open(file); err != nil {
			return nil, err
		}
		defer f.Close()
	}
	text, err := io.ReadAll(io.LimitReader(f, maxDocument))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return text, nil
}

// rootElement is the local name of the first element, and empty if there is none.
func rootElement(text []byte) string {
	d := xml.NewDecoder(bytes.NewReader(text))
	for {
		token, err := d.RawToken()
		if err != nil {
			return ""
		}
		if start, ok := token.(xml.StartElement); ok {
			return start.Name.Local
		}
	}
}

// check is all that is wrong with a document: what could not be read, and what breaks a rule.
func check(file string) (document, error) {
	d, err := read(file)
	if d == nil {
		return nil, err
	}
	return d, schema.Join(err, d.Validate())
}

// isFile says whether an argument is a file rather than the name of a network, which has no slash.
func isFile(arg string) bool {
	return arg == "-" || strings.Contains(arg, "/") || strings.HasSuffix(arg, ".xml")
}

// networkIn is the network in a file. What is wrong with it is printed.
func (c *call) networkIn(file string) (*network.Network, error) {
	return documentIn[*network.Network](c, file, "<network>")
}

// interfaceIn is the interface in a file. What is wrong with it is printed.
func (c *call) interfaceIn(file string) (*domainiface.Interface, error) {
	return documentIn[*domainiface.Interface](c, file, "<interface>")
}

func documentIn[D document](c *call, file, element string) (D, error) {
	d, err := check(file)
	if err != nil {
		var none D
		return none, c.violations(file, err)
	}
	wanted, ok := d.(D)
	if !ok {
		return wanted, fmt.Errorf("%s is no %s", file, element)
	}
	return wanted, nil
}

// known is what is known of a network by its name, with a hint if a file was meant.
func known(ctx context.Context, nets *network.Manager, name string) (*network.Status, error) {
	s, err := nets.Lookup(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		if _, missing := os.Stat(name); missing == nil {
			err = fmt.Errorf("%w; the file of that name is ./%s", err, name)
		}
	}
	return s, err
}
