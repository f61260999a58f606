// SPDX-License-Identifier: Apache-2.0

// Command dryrun prints what starting the <network> document on its standard input would do on this machine, step by
// step, and what asks for each step. Nothing is changed.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/linux"
)

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	backend, err := linux.Open(linux.Config{})
	if err != nil {
		return err
	}
	defer backend.Close()
	nets, err := network.Open(ctx, backend, network.Memory())
	if err != nil {
		return err
	}
	definition, err := network.Parse(os.Stdin)
	if err != nil {
		return err
	}
	if err := nets.Define(ctx, definition); err != nil {
		return err
	}
	plan, err := nets.Plan(ctx, definition.Name)
	if err != nil {
		return err
	}
	fmt.Print(plan)
	return nil
}
