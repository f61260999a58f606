// SPDX-License-Identifier: Apache-2.0

package schema_test

import (
	"bytes"
	"encoding"
	"encoding/xml"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network/schema"
)

// A scalar reads and writes one value.
type scalar interface {
	encoding.TextUnmarshaler
	fmt.Stringer
}

// scalars makes an absent value of each kind.
var scalars = map[string]func() scalar{
	"yesno":    func() scalar { return new(schema.YesNo) },
	"onoff":    func() scalar { return new(schema.OnOff) },
	"text":     func() scalar { return new(schema.Text) },
	"number":   func() scalar { return new(schema.Number) },
	"cnumber":  func() scalar { return new(schema.CNumber) },
	"number32": func() scalar { return new(schema.Number32) },
	"c32":      func() scalar { return new(schema.CNumber32) },
	"mac":      func() scalar { return new(schema.MAC) },
	"mactext":  func() scalar { return new(schema.MACText) },
	"uuid":     func() scalar { return new(schema.UUID) },
	"addr":     func() scalar { return new(schema.Addr) },
	"macvtap":  func() scalar { return new(schema.MacvtapMode) },
	"table":    func() scalar { return new(schema.MACTableManager) },
}

func TestLexers(t *testing.T) {
	const bad = "\x00bad" // wanted where the text cannot be read
	const uuid = "0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9"
	tests := []struct{ kind, text, want string }{
		{"yesno", "yes", "yes"}, {"yesno", "no", "no"},
		{"yesno", "", bad}, {"yesno", "YES", bad}, {"yesno", " yes", bad}, {"yesno", "default", bad}, {"yesno", "true", bad},
		{"onoff", "on", "on"}, {"onoff", "off", "off"}, {"onoff", "", bad}, {"onoff", "ON", bad}, {"onoff", "yes", bad},
		{"text", "", ""}, {"text", " a ", " a "},

		{"number", "0", "0"}, {"number", "18446744073709551615", "18446744073709551615"}, {"number", " \t\n+7", "7"}, {"number", "010", "10"},
		{"number", "", bad}, {"number", " ", bad}, {"number", "+", bad}, {"number", "-1", bad}, {"number", "7 ", bad},
		{"number", "0x1f", bad}, {"number", "18446744073709551616", bad}, {"number", "1_0", bad}, {"number", "++1", bad}, {"number", "+ 1", bad},
		{"cnumber", "0x1F", "31"}, {"cnumber", "0X1f", "31"}, {"cnumber", "010", "8"}, {"cnumber", "0", "0"}, {"cnumber", " 9", "9"},
		{"cnumber", "08", bad}, {"cnumber", "0x", bad}, {"cnumber", "0b1", bad}, {"cnumber", "-1", bad}, {"cnumber", "0x+1", bad}, {"cnumber", "0o7", bad},
		{"number32", "-1", "4294967295"}, {"number32", "4294967295", "4294967295"}, {"number32", "-4294967295", "1"}, {"number32", "-0", "0"},
		{"number32", "4294967296", bad}, {"number32", "-4294967296", bad}, {"number32", "0x1", bad},
		{"c32", "0xff", "255"}, {"c32", "-0x1", "4294967295"}, {"c32", "0x100000000", bad},

		{"mac", "52:54:00:0a:0b:0c", "52:54:00:0a:0b:0c"}, {"mac", "52:54:0:A:B:C", "52:54:00:0a:0b:0c"}, {"mac", "1:2:3:4:5:6 and more", bad},
		{"mac", "", bad}, {"mac", "52-54-00-0a-0b-0c", bad}, {"mac", "1:2:3:4:5", bad}, {"mac", "1:2:3:4:5:6:7", bad}, {"mac", "001:2:3:4:5:6", bad},
		{"mac", "1:2:3:4:5:", bad}, {"mac", " 1:2:3:4:5:6", bad}, {"mac", "1:2:3:4:5:6x", bad}, {"mac", "g:2:3:4:5:6", bad},
		{"mactext", "52:54:0:A:B:C", "52:54:0:A:B:C"}, {"mactext", "1:2:3:4:5:6 and more", "1:2:3:4:5:6 and more"}, {"mactext", "52:54:0:A:B", bad}, {"mactext", "", bad},

		{"uuid", uuid, uuid}, {"uuid", strings.ToUpper(uuid), uuid}, {"uuid", strings.ReplaceAll(uuid, "-", ""), uuid},
		{"uuid", " \n0A1B2C3D4E5F 4071-8293A4B5C6D7E8F9\t", uuid},
		{"uuid", "", bad}, {"uuid", "12-34", bad}, {"uuid", uuid + "0", bad}, {"uuid", "0-a1b2c3d4e5f40718293a4b5c6d7e8f9", bad}, {"uuid", "x" + uuid[1:], bad},

		{"addr", "10.1.1.1", "10.1.1.1"}, {"addr", "10.1", "10.0.0.1"}, {"addr", "010.1.1.1", "8.1.1.1"}, {"addr", "0x0a.1.257", "10.1.1.1"},
		{"addr", "255", "0.0.0.255"}, {"addr", "4294967295", "255.255.255.255"}, {"addr", "0", "0.0.0.0"},
		{"addr", "2001:DB8:0:0::1", "2001:db8::1"}, {"addr", "::ffff:10.1.1.1", "::ffff:10.1.1.1"}, {"addr", "::10.1.1.1", "::10.1.1.1"},
		{"addr", "::1", "::1"}, {"addr", "::", "::"}, {"addr", "::1:0", "::0.1.0.0"}, {"addr", "fe80::1%eth0", "fe80::1%eth0"},
		{"addr", "fe80::1%1", "fe80::1%lo"}, {"addr", "fe80::1%01", "fe80::1%lo"}, {"addr", "fe80::1%0", "fe80::1"}, {"addr", "fe80::1%99", "fe80::1%99"},
		{"addr", "2001:db8::1%1", "2001:db8::1%1"}, {"addr", "2001:db8::1%lo", bad}, {"addr", "::1%lo", bad}, {"addr", "ff02::1%1", "ff02::1%lo"},
		{"addr", "ff01::1%lo", "ff01::1%1"}, {"addr", "ff05::1%lo", bad}, {"addr", "fe80::1%", bad}, {"addr", "fe80::1%4294967296", bad}, {"addr", "fe80::1%4294967295", "fe80::1%4294967295"},
		{"addr", "fe80::1% 1", bad}, {"addr", "fe80::1%lo%lo", bad}, {"addr", "10.0.0.1%lo", bad}, {"addr", "::ffff:10.0.0.1%1", "::ffff:10.0.0.1%1"}, {"addr", "::ffff:169.254.0.1%lo", bad},
		{"addr", "", bad}, {"addr", "1.2.3.4/24", bad}, {"addr", "[::1]", bad}, {"addr", " 1.2.3.4", bad}, {"addr", "1.2.3.4 ", bad}, {"addr", "gateway", bad},
		{"addr", "1.2.3.4.5", bad}, {"addr", "1.2.3.256", bad}, {"addr", "1.256", "1.0.1.0"}, {"addr", "256.1", bad}, {"addr", "1..2", bad}, {"addr", "4294967296", bad}, {"addr", "1.+2", bad},
		{"addr", "09.1.1.1", bad}, {"addr", "1.2.3.", bad}, {"addr", "300.1.1.1", bad},

		{"macvtap", "vepa", "vepa"}, {"macvtap", "VEPA", bad}, {"table", "kernel", "kernel"}, {"table", "default", bad},
	}
	for _, test := range tests {
		t.Run(test.kind+" "+test.text, func(t *testing.T) {
			v := scalars[test.kind]()
			err := v.UnmarshalText([]byte(test.text))
			if test.want == bad {
				var syntax *schema.SyntaxError
				require.ErrorAs(t, err, &syntax)
				assert.Equal(t, syntax.Kind+"-syntax", syntax.Rule())
				assert.Equal(t, scalars[test.kind](), v, "left as it was")
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.want, v.String())
			if v, ok := v.(encoding.TextMarshaler); ok {
				text, err := v.MarshalText()
				require.NoError(t, err)
				assert.Equal(t, test.want, string(text))
			}
		})
	}
}

func TestSyntaxErrorText(t *testing.T) {
	var m schema.MacvtapMode
	assert.EqualError(t, m.UnmarshalText([]byte("Passthru")), `"Passthru" is not vepa, private, bridge or passthrough (did you mean "passthrough"?)`)
	var v schema.YesNo
	assert.EqualError(t, v.UnmarshalText([]byte("Yes")), `"Yes" is not yes or no (did you mean "yes"?)`)
	assert.EqualError(t, v.UnmarshalText([]byte("maybe\n")), `"maybe\n" is not yes or no`)
	var a schema.Addr
	assert.ErrorContains(t, a.UnmarshalText([]byte("10.0.0.1/24")), "without a prefix length")
	assert.Equal(t, `"`+strings.Repeat("x", 80)+`"...`, schema.Quote(strings.Repeat("x", 200)))
}

func TestNearest(t *testing.T) {
	modes := []string{"none", "nat", "route", "open", "bridge", "private", "vepa", "passthrough", "hostdev"}
	tests := map[string]string{"NAT": "nat", " route ": "route", "routed": "route", "pass": "passthrough", "host-dev": "hostdev", "passthru": "passthrough",
		"brigde": "bridge", "": "", "usb": "", "xyzzy": "", "macvtap": "", strings.Repeat("n", 99): ""}
	for text, want := range tests {
		assert.Equal(t, want, schema.Nearest(text, modes), text)
	}
}

func TestLax(t *testing.T) {
	var v schema.YesNo
	for text, want := range map[string]schema.YesNo{"yes": schema.Yes, "YES": schema.Yes, "no": schema.No, "true": schema.No, "": schema.No} {
		require.NoError(t, v.UnmarshalLax([]byte(text)))
		assert.Equal(t, want, v, text)
	}
	var o schema.OnOff
	for text, want := range map[string]schema.OnOff{"off": schema.Off, "OFF": schema.On, "on": schema.On, "": schema.On} {
		require.NoError(t, o.UnmarshalLax([]byte(text)))
		assert.Equal(t, want, o, text)
	}
}

func TestOr(t *testing.T) {
	assert.True(t, schema.YesNo(0).Or(true))
	assert.False(t, schema.YesNo(0).Or(false))
	assert.True(t, schema.Yes.Or(false))
	assert.False(t, schema.No.Or(true))
	assert.True(t, schema.OnOff(0).Or(true))
	assert.True(t, schema.On.Or(false))
	assert.False(t, schema.Off.Or(true))
	assert.Equal(t, uint64(7), schema.Number{}.Or(7))
	assert.Equal(t, uint64(0), schema.Num(0).Or(7))
	assert.Equal(t, "invalid", schema.YesNo(9).String())
	_, err := schema.YesNo(9).MarshalText()
	assert.Error(t, err)
}

func TestAbsentIsLeftOut(t *testing.T) {
	type all struct {
		XMLName xml.Name       `xml:"all"`
		YesNo   schema.YesNo   `xml:"yesno,attr,omitempty"`
		OnOff   schema.OnOff   `xml:"onoff,attr,omitempty"`
		Text    schema.Text    `xml:"text,attr,omitempty"`
		Number  schema.Number  `xml:"number,attr"`
		C       schema.CNumber `xml:"c,attr"`
		MAC     schema.MAC     `xml:"mac,attr"`
		UUID    schema.UUID    `xml:"uuid,attr"`
		Addr    schema.Addr    `xml:"addr,attr"`
		ID      schema.UUID    `xml:"id"`
	}
	got, err := xml.Marshal(all{})
	require.NoError(t, err)
	assert.Equal(t, "<all></all>", string(got))

	uuid, err := schema.ParseUUID("00000000-0000-0000-0000-000000000001")
	require.NoError(t, err)
	zeros, err := schema.ParseUUID("00000000-0000-0000-0000-000000000000")
	require.NoError(t, err)
	full := all{
		YesNo: schema.No, OnOff: schema.Off, Text: schema.Empty, Number: schema.Num(0), C: schema.CNumber{Number: schema.Num(1)},
		MAC: schema.MAC{5: 1}, UUID: uuid, Addr: schema.Addr{Addr: netip.IPv4Unspecified()}, ID: zeros,
	}
	got, err = xml.Marshal(full)
	require.NoError(t, err)
	var again all
	require.NoError(t, xml.Unmarshal(got, &again))
	again.XMLName = xml.Name{}
	assert.Equal(t, full, again)
}

func TestText(t *testing.T) {
	assert.False(t, schema.Text("").Given())
	assert.True(t, schema.Empty.Given())
	assert.Equal(t, "", schema.Empty.String())
	var text schema.Text
	require.NoError(t, text.UnmarshalText(nil))
	assert.Equal(t, schema.Empty, text)
}

func TestNewUUID(t *testing.T) {
	u, err := schema.NewUUID(bytes.NewReader(bytes.Repeat([]byte{0xff}, 16)))
	require.NoError(t, err)
	assert.Equal(t, "ffffffff-ffff-4fff-bfff-ffffffffffff", u.String())
	_, err = schema.NewUUID(strings.NewReader("short"))
	assert.Error(t, err)
	assert.True(t, schema.UUID{}.IsZero())
	zeros, err := schema.ParseUUID("00000000-0000-0000-0000-000000000000")
	require.NoError(t, err)
	assert.False(t, zeros.IsZero(), "a document gives it")
	assert.False(t, zeros.Equal(schema.UUID{}))
}

func TestMACText(t *testing.T) {
	assert.Equal(t, schema.MAC{0x52, 0x54, 0, 0xa, 0xb, 0xc}, schema.MACText("52:54:0:A:B:C").MAC())
	assert.True(t, schema.MACText("nonsense").MAC().IsZero())
	assert.True(t, schema.MAC{1}.IsMulticast())
}

func TestMaskLen(t *testing.T) {
	for mask, want := range map[string]int{"255.255.255.0": 24, "0.0.0.0": 0, "255.255.255.255": 32, "128.0.0.0": 1, "255.0.255.0": -1, "0.0.0.255": -1, "ffff::": -1} {
		n, ok := schema.MaskLen(netip.MustParseAddr(mask))
		if want < 0 {
			assert.False(t, ok, mask)
			continue
		}
		assert.True(t, ok, mask)
		assert.Equal(t, want, n, mask)
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]bool{"eth0": true, "a": true, "fifteen-bytes-x": true, "sixteen-bytes-xx": false, "": false, ".": false, "..": false,
		"a/b": false, "a b": false, "a:b": false, "a\nb": false, "a\x00": false, "vn%d": true, "-x": true, "é": true} {
		assert.Equal(t, want, schema.IsDevice(name), "%q", name)
	}
	for name, want := range map[string]bool{"a": true, "a.b-c.d_e": true, "_sip._tcp": true, "": false, ".": false, "a.": false, ".a": false, "a..b": false, "-a": false, "a-": false,
		"a b": false, "a,b": false, "a\n": false, "é": false, strings.Repeat("a", 63): true, strings.Repeat("a", 64): false, strings.Repeat("a.", 127) + "a": false} {
		assert.Equal(t, want, schema.IsDNSName(name), "%q", name)
	}
	assert.True(t, schema.HasControl("a\x7f"))
	assert.False(t, schema.HasControl("aé "))
}

// checkScalar checks that what a scalar reads it writes, and reads again as the same.
func checkScalar(t *testing.T, kind, text string) {
	v := scalars[kind]()
	err := v.UnmarshalText([]byte(text))
	if err != nil {
		if syntax := new(schema.SyntaxError); !errors.As(err, &syntax) {
			t.Fatalf("%s %q: %v", kind, text, err)
		}
		return
	}
	again := scalars[kind]()
	if err := again.UnmarshalText([]byte(v.String())); err != nil {
		t.Fatalf("%s %q: wrote %q, which cannot be read: %v", kind, text, v, err)
	}
	if v.String() != again.String() {
		t.Fatalf("%s %q: %q, then %q", kind, text, v, again)
	}
}

func FuzzMAC(f *testing.F) {
	for _, s := range []string{"52:54:00:0a:0b:0c", "1:2:3:4:5:6 x", "", "1:2:3", "::::::"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		checkScalar(t, "mac", text)
		checkScalar(t, "mactext", text)
	})
}

func FuzzUUID(f *testing.F) {
	for _, s := range []string{"0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9", " 0A1B2C3D4E5F40718293A4B5C6D7E8F9 ", "--", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) { checkScalar(t, "uuid", text) })
}

func FuzzAddr(f *testing.F) {
	for _, s := range []string{"10.1.1.1", "0x0a.1", "010.1.1.1", "2001:db8::1", "fe80::1%lo", "::ffff:1.2.3.4", "::1.2.3.4", "1.2.3.4/5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) { checkScalar(t, "addr", text) })
}

func FuzzNumber(f *testing.F) {
	for _, s := range []string{"0", "-1", "0x1F", "010", " +7", "18446744073709551616"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, kind := range []string{"number", "cnumber", "number32", "c32"} {
			checkScalar(t, kind, text)
		}
	})
}
