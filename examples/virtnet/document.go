// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"

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

// printViolations prints violations as FILE:LINE: PATH: MESSAGE [RULE] and returns errFound; any other error it returns.
func printViolations(out io.Writer, file string, err error) error {
	var violations schema.Violations
	if !errors.As(err, &violations) {
		return err
	}
	for _, v := range violations {
		fmt.Fprintf(out, "%s:%d: %s: %s [%s]\n", file, v.Line, v.Path, v.Msg, v.Rule)
	}
	return errFound
}
