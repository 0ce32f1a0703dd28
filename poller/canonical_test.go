package poller

import (
	"crypto/sha256"
	"strings"
	"testing"
)

// The canonical form is part of every event id: it must never change.
func TestDigestIsOfTheCanonicalForm(t *testing.T) {
	t.Parallel()
	huge := strings.Repeat("9", 40)
	for name, test := range map[string]struct{ raw, canonical string }{
		"empty":            {" { } ", `{}`},
		"literals":         {`{"a":[true, false ,null,{},[]]}`, `{"a":[true,false,null,{},[]]}`},
		"sorted by bytes":  {`{"é":1,"a":2,"B":3,"":4,"aa":5}`, `{"":4,"B":3,"a":2,"aa":5,"é":1}`},
		"sorted decoded":   {`{"b":1,"\u0061":2}`, `{"a":2,"b":1}`},
		"last name counts": {`{"a":1,"b":2,"a":3,"a":4}`, `{"a":4,"b":2}`},
		"many of a name":   {`{` + strings.Repeat(`"b":1,"a":2,`, 50) + `"a":3,"b":4}`, `{"a":3,"b":4}`},
		"nested":           {`{"b":[{"d":1,"c":2}],"a":{}}`, `{"a":{},"b":[{"c":2,"d":1}]}`},
		"update stamps":    {`{"updateDate":"x"}`, `{"updateDate":"x"}`},
		"escapes":          {`{"a":"\"\\\/\b\u001F\u007f<é\ud83d\ude00"}`, `{"a":"\"\\/\u0008\u001f` + "\x7f" + `<é😀"}`},
		"broken text":      {"{\"a\":\"\\ud800\xff\"}", `{"a":"` + "\ufffd\ufffd" + `"}`},
		"integers":         {`{"a":[1,-12,100,-1200,0,-0]}`, `{"a":[1,-12,1e2,-12e2,0,0]}`},
		"fractions":        {`{"a":[0.5,-9.50,10.0,0.00,0.010]}`, `{"a":[5e-1,-95e-1,1e1,0,1e-2]}`},
		"exponents":        {`{"a":[1e0,1E+2,10e-1,-5e-07,0e9,1.5e1,12e-1]}`, `{"a":[1,1e2,1,-5e-7,0,15,12e-1]}`},
		"sign of exponent": {`{"a":[100e-1,0.01e1,100e-2]}`, `{"a":[1e1,1e-1,1]}`},
		"large exponents":  {`{"a":[1e999999999,10e999999998,1e-9223372036854775808]}`, `{"a":[1e999999999,1e999999999,1e-9223372036854775808]}`},
		"huge exponents":   {`{"a":[1e` + huge + `,10e` + huge + `,1.5e-` + huge + `]}`, `{"a":[1e` + huge + `,1e1` + strings.Repeat("0", 40) + `,15e-1` + strings.Repeat("0", 40) + `]}`},
		"borrow":           {`{"a":[0.001e10000000000000000000000,100e-10000000000000000000000]}`, `{"a":[1e9999999999999999999997,1e-9999999999999999999998]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := diffDigest(t, []byte(test.raw)); got != sha256.Sum256([]byte(test.canonical)) {
				tree, err := newJSONTree([]byte(test.raw))
				if err != nil {
					t.Fatal(err)
				}
				t.Errorf("canonical form\n%s, want\n%s", tree.appendCanonical(nil, jsonRoot), test.canonical)
			}
			if again := diffDigest(t, []byte(test.canonical)); again != sha256.Sum256([]byte(test.canonical)) {
				t.Error("the canonical form of the canonical form is another")
			}
		})
	}
}
