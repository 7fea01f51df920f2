package weborigin

import (
	"strings"
	"testing"
)

func TestScheme(t *testing.T) {
	for text, want := range map[string]string{
		"http": "http", "HTTPS": "https", " https\t": "https", "ws": "http", "wss": "https", "WSS": "https", " Ws ": "http",
		"https, https": "https", "https,http": "http", "http , WSS": "https", "https,": "https", ",": "", "": "", " ": "",
		"ftp": "ftp", "http\u017f": "http\u017f", "https://": "https://",
	} {
		if got := Scheme(text); got != want {
			t.Errorf("Scheme(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestHost(t *testing.T) {
	for host, want := range map[string]string{
		"Example.COM": "example.com", "::1": "::1", "[::1]": "::1", "0:0:0:0:0:0:0:1": "::1", "[0:0:0:0:0:0:0:1]": "::1", "[2001:DB8::0A]": "2001:db8::a",
		"::ffff:102:304": "::ffff:1.2.3.4", "127.0.0.1": "127.0.0.1", "faceboo\u212a.com": "faceboo\u212a.com", "": "", "[x:y]": "[x:y]", "\xff": "\xff", "example.com.": "example.com.",
	} {
		if got := Host(host); got != want {
			t.Errorf("Host(%q) = %q, want %q", host, got, want)
		}
	}
}

func TestCheckHost(t *testing.T) {
	for host, want := range map[string]string{
		"localhost": "localhost", "Example.COM": "example.com", "my_host.test": "my_host.test", "127.0.0.1": "127.0.0.1", "[0::1]": "::1", "xn--bcher-kva.example": "xn--bcher-kva.example",
		"1.example": "1.example", "0xyz": "0xyz",
	} {
		if got, fault := CheckHost(host); fault != nil || got != want {
			t.Errorf("CheckHost(%q) = %q, %v, want %q", host, got, fault, want)
		}
	}
	for host, want := range map[string]Fault{
		"":                       {"is empty", ""},
		".":                      {"empty part", ""},
		"a..b":                   {"empty part", ""},
		"example.com.":           {"ends with a dot", "example.com"},
		".example.com":           {"begins with a dot", "*.example.com"},
		"a b":                    {`the character " "`, ""},
		"a,b":                    {`the character ","`, ""},
		"a/b":                    {`the character "/"`, ""},
		"*":                      {`the character "*"`, ""},
		"a\x00":                  {"the character", ""},
		"\xff":                   {"UTF-8", ""},
		"127.1":                  {"four decimal numbers", ""},
		"2130706433":             {"four decimal numbers", ""},
		"0x7f.0.0.1":             {"four decimal numbers", ""},
		"127.0.0.01":             {"four decimal numbers", ""},
		"a.0x7f":                 {"four decimal numbers", ""},
		"fe80::1%eth0":           {"has a zone", "[fe80::1]"},
		"[fe80::1%eth0]":         {"has a zone", "[fe80::1]"},
		"::g":                    {"neither a name nor", ""},
		"example.com:80":         {"neither a name nor", ""},
		strings.Repeat("a", 254): {"longer than any name", ""},
		"Bücher.example":         {"outside ASCII", "xn--bcher-kva.example"},
		"faceboo\u212a.com":      {"outside ASCII", "facebook.com"}, // what a browser makes of it
		"u\u0308ber.example":     {"outside ASCII", ""},
		"ｅxample.com":            {"outside ASCII", ""},
	} {
		got, fault := CheckHost(host)
		if fault == nil || got != "" || !strings.Contains(fault.What, want.What) || fault.Right != want.Right {
			t.Errorf("CheckHost(%q) = %q, %+v, want %+v", host, got, fault, want)
		}
	}
}

// The names are samples of RFC 3492, section 7.1, in small letters, and names in use.
func TestPunycode(t *testing.T) {
	for name, want := range map[string]string{
		"他们为什么不说中文":                    "xn--ihqwcrb4cv8a8dqg056pqjye",
		"почемужеонинеговорятпорусски": "xn--b1abfaaepdrnnbgefbadotcwatmq2g4l",
		"פשוט": "xn--9dbg8au",
		"세계의모든사람들이한국어를이해한다면얼마나좋을까": "xn--989aomsvi5e83db1d2a355cv1e0vak1dwrv93d5xbh15a0dt30a5jpsd879ccm6fea98c",
		"3年b組金八先生":       "xn--3b-ww4c5e180e575a65lsy2b",
		"münchen.de":     "xn--mnchen-3ya.de",
		"straße.example": "xn--strae-oqa.example",
		"例え。テスト":         "xn--r8jz45g.xn--zckzah",
	} {
		if got := toASCII(name); got != want {
			t.Errorf("toASCII(%q) = %q, want %q", name, got, want)
		}
	}
}

// A host that is not written alone is proposed as it should be, or not at all.
func TestParseHost(t *testing.T) {
	for host, want := range map[string]string{
		"http:/example.com":       `write "example.com"`,
		"http:example.com":        `write "example.com"`,
		"HTTPS:///Example.com/x":  `write "example.com"`,
		"http//example.com":       `write "example.com"`,
		"wss://example.com:1":     `write "example.com"`,
		"user:secret@example.com": `write "example.com"`,
		"https://u:secret@e.com":  `write "e.com"`,
		"null":                    "without a host",
		"NULL":                    "without a host",
		"http:null":               "is a URL",
		"http:":                   "",
		"b\u00fccher.example":     `write "xn--bcher-kva.example"`,
		"B\u00dcCHER.example":     `write "xn--bcher-kva.example"`,
		"\u1ec7.example":          `write "xn--`,
		"\u017f.example":          "",
		"\u0133.example":          "",
		"\u0140.example":          "",
		"\u0149.example":          "",
		"\u01c6.example":          "",
		"\u01c5.example":          "",
		"\u0130.example":          "",
		"\u1e9e.example":          "",
		"\u03c2.example":          "",
		"\ufb01.example":          "",
		"\uff41.example":          "",
		"\uff76.example":          "",
		"\u00e6\u00aa.example":    "",
		"\u0645\u0640.example":    "",
		"a\u05d0.example":         "",
		"\u00fc..example..":       `write "xn--tda.example"`,
		"\u00fc b.example":        "",
		"\u1d2c.example":          "",
		"\u2170.example":          "",
		"\u00fc\u3000.example":    "",
		"\u212b.example":          `write "xn--`,
		" ":                       "has only blanks",
		"*":                       "has a *",
		"*.example.com":           "transport.Origins",
		"https://example.com":     `is a URL, of which only the host is wanted: write "example.com"`,
		"//example.com":           `is a URL, of which only the host is wanted: write "example.com"`,
		"example.com:443":         `has a port, and any port is allowed: write "example.com"`,
		"example.com:":            `has a port, and any port is allowed: write "example.com"`,
		"[::1]:4000":              `has a port, and any port is allowed: write "::1"`,
		"example.com/":            `has more than a host: write "example.com"`,
		"user@example.com":        `has more than a host: write "example.com"`,
		"example.com.":            `ends with a dot, which browsers send only if it is in the address bar: write "example.com"`,
		".example.com":            "begins with a dot",
		"a.test,b.test":           "is a list",
		"a.test b.test":           `has the character " "`,
		"Bücher.example":          `write "xn--bcher-kva.example"`,
		"https://bücher.test/":    `write "xn--bcher-kva.test"`,
		"fe80::1%eth0":            `has a zone, which browsers send in no origin: write "[fe80::1]"`,
		"127.1":                   "four decimal numbers",
	} {
		_, err := ParseHost(host)
		if err == nil {
			t.Errorf("ParseHost(%q) has no error", host)
			continue
		}
		if text := err.Error(); want == "" && strings.Contains(text, ": write \"") || !strings.Contains(text, want) || strings.Contains(text, "secret") {
			t.Errorf("ParseHost(%q) = %v, want %q", host, err, want)
		}
	}
	if host, err := ParseHost("http"); host != "http" || err != nil {
		t.Errorf("%q, %v", host, err)
	}
}
