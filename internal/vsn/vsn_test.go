package vsn_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/internal/vsn"
	"github.com/bennu-go/bennu/wire"
)

func TestDefaultVersions(t *testing.T) {
	vs, err := vsn.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v1, v2 := wire.V1(nil), wire.V2(nil)
	tests := []struct {
		vsn  string
		want wire.Serializer // nil is refused
	}{
		{vsn.Default, v1}, {"1.0.0", v1}, {"1.0.9", v1}, {"1.0.123456789012345678901234567890", v1},
		{"2.0.0", v2}, {"2.0.1", v2}, {"2.0.1-rc.1", v2}, {"2.0.0+build", v2}, {"2.0.0+b-1.02", v2}, {"2.0.1-a.b-c+d", v2},
		{"1.1.0", nil}, {"2.1.0", nil}, {"0.9.0", nil}, {"3.0.0", nil}, {"20.0.0", nil}, {"2.00.0", nil},
		{"2.0.0-rc.1", nil}, {"2.1.0-rc.1", nil}, {"1.0.0-0", nil}, {"2.0.0-rc.1+build", nil},
		{"", nil}, {"2", nil}, {"2.0", nil}, {"2.0.0.0", nil}, {"2.0.", nil}, {".0.0", nil}, {"02.0.0", nil}, {"2.0.00", nil},
		{"v2.0.0", nil}, {"2.0.0 ", nil}, {" 2.0.0", nil}, {"2.0.x", nil}, {"+2.0.0", nil}, {"-2.0.0", nil}, {"2,0,0", nil},
		{"2.0.1-", nil}, {"2.0.0+", nil}, {"2.0.1-01", nil}, {"2.0.1-0a", v2}, {"2.0.1-a..b", nil}, {"2.0.1-a_b", nil}, {"2.0.0+a+b", nil}, {"2.0.0+é", nil},
		{"2.0.0\x00", nil}, {"\u0662.0.0", nil}, {strings.Repeat("2", 9000) + ".0.0", nil}, {"~> 2.0.0", nil},
	}
	for _, tt := range tests {
		got, ok := vs.Select(tt.vsn)
		if got != tt.want || ok != (tt.want != nil) {
			t.Errorf("Select(%.40q) = %T, %v; want %T", tt.vsn, got, ok, tt.want)
		}
	}
}

func TestRequirements(t *testing.T) {
	tests := []struct {
		requirement string
		in, out     string // versions that meet it, and that do not
	}{
		{"~> 2.0.0", "2.0.0 2.0.1-rc.1 2.0.9", "2.0.0-rc.1 2.1.0 2.1.0-rc.1 3.0.0 1.0.0"},
		{"~> 2.0.3", "2.0.3 2.0.10", "2.0.2 2.0.3-rc.1 2.1.3"},
		{"~> 2.0", "2.0.0 2.1.0 2.99.99 2.1.0-rc.1", "2.0.0-rc.1 3.0.0 3.0.0-rc.1 1.9.0"},
		{"~> 2.1", "2.1.0 2.10.0", "2.0.9 3.1.0"},
		{"  ~>2.0.3  ", "2.0.3 2.0.4-rc.1+x", "2.0.2"},
		{"~> 2.1.0+build", "2.1.0", "2.2.0"},
		{"~> 2.0.9", "2.0.9 2.0.10 2.0.123456789012345678901234567890", "2.0.8 2.00.9"},
		{"~> 2.9", "2.10.0 2.9.0", "2.8.99 2.9.0-rc.1"},
	}
	for _, tt := range tests {
		vs, err := vsn.New([]wire.Versioned{{Requirement: tt.requirement, Serializer: wire.V2(nil)}})
		if err != nil {
			t.Errorf("%q: %v", tt.requirement, err)
			continue
		}
		for _, v := range strings.Fields(tt.in) {
			if _, ok := vs.Select(v); !ok {
				t.Errorf("%q refuses %s", tt.requirement, v)
			}
		}
		for _, v := range strings.Fields(tt.out) {
			if _, ok := vs.Select(v); ok {
				t.Errorf("%q takes %s", tt.requirement, v)
			}
		}
	}
}

func TestFirstMatchWins(t *testing.T) {
	vs, err := vsn.New([]wire.Versioned{
		{Requirement: "~> 2.0.7", Serializer: wire.V1(nil)},
		{Requirement: "~> 2.0", Serializer: wire.V2(nil)},
		{Requirement: "~> 2.0.0", Serializer: wire.V1(nil)},
	})
	if err != nil {
		t.Fatal(err)
	}
	for vsn, want := range map[string]wire.Serializer{"2.0.7": wire.V1(nil), "2.0.6": wire.V2(nil), "2.1.7": wire.V2(nil)} {
		if got, _ := vs.Select(vsn); got != want {
			t.Errorf("Select(%s) = %T, want %T", vsn, got, want)
		}
	}
}

func TestMalformedRequirements(t *testing.T) {
	for _, r := range []string{
		"", " ", "~> 2", "~>", "2.0.0", "== 2.0.0", ">= 2.0.0", ">= 2.0.0 and < 3.0.0", "~> 2.0.0 or ~> 3.0.0", "~> 2.0.0 and ~> 2.0.0",
		"~> 02.0", "~> 2.0.x", "*", "latest", "~> 2.0.0.0", "~> -dev", "~> 2.0.0-rc.1", "~> 2.0-dev", "~> 2.0+build", "~ 2.0.0", "~>~> 2.0.0",
	} {
		_, err := vsn.New([]wire.Versioned{{Requirement: r, Serializer: wire.V2(nil)}})
		if err == nil {
			t.Errorf("%q is taken", r)
			continue
		}
		if !strings.Contains(err.Error(), "write") {
			t.Errorf("%q: %v does not say what to write", r, err)
		}
	}
	if _, err := vsn.New([]wire.Versioned{{Requirement: "~> 2.0.0"}}); err == nil {
		t.Error("an entry without serializer is taken")
	}
}

// series20 is what a version of the series 2.0 looks like, by the grammar of SemVer.
var series20 = func() *regexp.Regexp {
	const number, word = `(?:0|[1-9][0-9]*)`, `[0-9A-Za-z-]`
	const preID = `(?:` + number + `|[0-9]*[A-Za-z-]` + word + `*)`
	return regexp.MustCompile(`^2\.0\.(` + number + `)(-` + preID + `(?:\.` + preID + `)*)?(?:\+` + word + `+(?:\.` + word + `+)*)?$`)
}()

func FuzzSelect(f *testing.F) {
	for _, s := range []string{"2.0.0", "2.0.1-rc.1+b", "2.0", "2.0.0-", "2.0.0-0", "2.0..0", "2.0.1-01", "2.0.01", "2.0.1+01-.x"} {
		f.Add(s)
	}
	vs, err := vsn.New(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		parts := series20.FindStringSubmatch(s)
		want := parts != nil && (parts[1] != "0" || parts[2] == "")
		if got, _ := vs.Select(s); (got == wire.V2(nil)) != want {
			t.Fatalf("%q is taken by version 2: %v, want %v", s, !want, want)
		}
	})
}
