// SPDX-License-Identifier: Apache-2.0

package qos_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/qos"
)

// broken returns the rules that b breaks in a context.
func broken(b qos.Bandwidth, at qos.Context) []string {
	c := schema.NewCheck("bandwidth", schema.Rules{})
	b.Check(c, at)
	var rules []string
	if vs, ok := c.Err(schema.Source{}).(schema.Violations); ok {
		for _, v := range vs {
			rules = append(rules, v.Path+" "+v.Rule)
		}
	}
	return rules
}

func TestContext(t *testing.T) {
	b := qos.Bandwidth{
		ClassID:  schema.Num(3),
		Inbound:  &qos.Rate{Average: schema.Num(9), Floor: schema.Num(3)},
		Outbound: &qos.Rate{Average: schema.Num(qos.MaxRate + 1), Floor: schema.Num(3)},
	}
	assert.Equal(t, []string{"/bandwidth/@classID bandwidth-class", "/bandwidth/inbound/@floor rate-floor",
		"/bandwidth/outbound/@floor rate-floor", "/bandwidth/outbound/@average rate-limit"}, broken(b, qos.Context{}))
	assert.Equal(t, []string{"/bandwidth/outbound/@floor rate-floor", "/bandwidth/outbound/@average rate-limit-late"},
		broken(b, qos.Context{Floor: true, ClassID: true, LateLimits: true}))
	assert.Empty(t, broken(qos.Bandwidth{}, qos.Context{}))
	assert.Empty(t, broken(qos.Bandwidth{Inbound: &qos.Rate{Floor: schema.Num(3)}}, qos.Context{Floor: true}), "a floor alone is enough")
}

func TestClone(t *testing.T) {
	b := &qos.Bandwidth{Inbound: &qos.Rate{Average: schema.Num(9)}}
	b.Clone().Inbound.Average = schema.Num(1)
	assert.Equal(t, schema.Num(9), b.Inbound.Average)
	assert.Nil(t, (*qos.Bandwidth)(nil).Clone())
}
