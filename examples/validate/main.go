// SPDX-License-Identifier: Apache-2.0

// Command validate checks the <network> documents that are named on the command line, and tells all that is wrong with
// each of them, with its place.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
)

func main() {
	status := 0
	for _, name := range os.Args[1:] {
		if err := check(name); err != nil {
			status = 1
			report(name, err)
		}
	}
	os.Exit(status)
}

// check reads one document, and joins what cannot be read in it with what breaks a rule.
func check(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	n, err := network.Parse(file)
	if n != nil {
		err = schema.Join(err, n.Validate())
	}
	return err
}

func report(name string, err error) {
	var violations schema.Violations
	if !errors.As(err, &violations) {
		fmt.Println(err)
		return
	}
	for _, v := range violations {
		fmt.Printf("%s:%d: %s: %s [%s]\n", name, v.Line, v.Path, v.Msg, v.Rule)
	}
}
