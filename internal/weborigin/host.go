package weborigin

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bennu-go/bennu/internal/redact"
)

// Host returns a host without its port in normal form: in lower case, and an IPv6 address, in
// brackets or not, in its shortest form without brackets. Text that is no host is returned as it
// is.
func Host(host string) string {
	inner := strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.Contains(inner, ":") {
		if addr, err := netip.ParseAddr(inner); err == nil {
			return addr.String()
		}
	}
	return Lower(host)
}

// Port returns a port as browsers send it, without leading zeros. It reports false for text that is
// no port.
func Port(port string) (string, bool) {
	n, err := strconv.ParseUint(port, 10, 16)
	return strconv.FormatUint(n, 10), err == nil && n > 0
}

// Join returns a host in normal form and a port as they stand in a URL. It omits the port if it is
// the default of the scheme.
func Join(host, port, scheme string) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port == "" || port == DefaultPort(scheme) {
		return host
	}
	return host + ":" + port
}

// IsAddress reports whether a host in its normal form is an IP address.
func IsAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// A Fault is the reason why a host that a program names can never be that of an origin.
type Fault struct {
	What  string // completes a sentence that begins with the host
	Right string // the host as it should be written, or empty if that is unknown
}

func (f *Fault) Error() string {
	if f.Right == "" {
		return f.What
	}
	return fmt.Sprintf("%s: write %q", f.What, f.Right)
}

// ParseHost returns the normal form of a host that a program names alone, as in the address
// bar: "example.com" or "::1". The error says how to write it.
func ParseHost(host string) (string, error) {
	text := strings.TrimSpace(host)
	name, fault := CheckHost(text)
	if fault == nil && name != "null" {
		return name, nil
	}
	rest, isURL := CutScheme(text)
	if name == "null" {
		fault = &Fault{What: "is what browsers send for pages without a host: write the name in the address bar, or decide about such pages with transport.OriginFunc"}
	} else if u, err := url.Parse(text); err == nil && u.Host != "" {
		fault = whole(u, "is a URL, of which only the host is wanted")
	} else if u, err := url.Parse("//" + rest); isURL && err == nil {
		fault = whole(u, "is a URL, of which only the host is wanted")
	} else if u, err := url.Parse("//" + text); err == nil && u.Host != text {
		fault = whole(u, "has more than a host")
	} else if err == nil && (u.Port() != "" || strings.HasSuffix(text, ":")) {
		fault = whole(u, "has a port, and any port is allowed")
	}
	switch {
	case text == "":
		fault = &Fault{What: "has only blanks: leave it empty, or write the name in the address bar"}
	case strings.Contains(text, "*"):
		fault = &Fault{What: `has a *, and is one name: set Checks.Origin to a list made by transport.Origins, such as "https://*.example.com"`}
	case strings.Contains(text, ","):
		fault = &Fault{What: `is a list, and should be one name: set Checks.Origin to a list made by transport.Origins, such as "https://example.com"`}
	}
	return "", fmt.Errorf("host %q %w", HideUser(host), fault)
}

// CutScheme cuts "http", "https", "ws" or "wss" off a text, with the colon and the slashes after
// it. The colon or the slashes may be missing. It reports whether there was one.
func CutScheme(text string) (rest string, ok bool) {
	for _, scheme := range []string{"https", "http", "wss", "ws"} {
		if len(text) < len(scheme) || Lower(text[:len(scheme)]) != scheme {
			continue
		}
		rest, colon := strings.CutPrefix(text[len(scheme):], ":")
		if colon || strings.HasPrefix(rest, "//") {
			return strings.TrimLeft(rest, "/"), true
		}
	}
	return text, false
}

// HideUser returns a text that should be a host or an origin, without a user name and password, for
// an error that quotes it.
func HideUser(text string) string {
	at := strings.LastIndex(text, "@")
	if at < 0 {
		return text
	}
	begin := strings.Index(text[:at], "//")
	if begin >= 0 {
		begin += len("//")
	} else {
		begin = 0
	}
	return text[:begin] + redact.Mask + text[at:]
}

// whole returns the fault for a URL in place of a host.
func whole(u *url.URL, what string) *Fault {
	name, fault := CheckHost(u.Hostname())
	if fault != nil {
		name = fault.Right
	}
	if name == "null" {
		name = ""
	}
	return &Fault{what, name}
}

// maxHost is the length of the longest name in the DNS, in bytes.
const maxHost = 253

// CheckHost returns the normal form of a host that a program names, without a port, or the fault in
// it.
func CheckHost(host string) (string, *Fault) {
	name := Host(host)
	if strings.Contains(name, ":") {
		return checkIPv6(name)
	}
	labels := strings.Split(name, ".")
	switch last := labels[len(labels)-1]; {
	case name == "":
		return "", &Fault{What: "is empty"}
	case !utf8.ValidString(name):
		return "", &Fault{What: "is not UTF-8"}
	case !isASCII(name):
		return "", &Fault{"has letters outside ASCII, which browsers send in their xn-- form; location.origin in the page's console shows it", toASCII(name)}
	case strings.HasPrefix(name, ".") && strings.Trim(name, ".") != "":
		return "", &Fault{"begins with a dot; every host below a name is written with *", "*." + strings.Trim(name, ".")}
	case last == "" && strings.Trim(name, ".") != "":
		return "", &Fault{"ends with a dot, which browsers send only if it is in the address bar", strings.Trim(name, ".")}
	case strings.Contains(name, "..") || last == "":
		return "", &Fault{What: "has an empty part between dots"}
	case len(name) > maxHost:
		return "", &Fault{What: "is longer than any name, which has 253 bytes at most"}
	case isNumber(last):
		// Browsers read such a name as an address.
		if addr, err := netip.ParseAddr(name); err != nil || !addr.Is4() {
			return "", &Fault{What: "is an address in a form that browsers do not send; write four decimal numbers, like 127.0.0.1"}
		}
	}
	for _, c := range name {
		if c <= ' ' || c == 0x7f || strings.ContainsRune(`"#%/:<>?@[\]^|`+"`{}*,", c) {
			return "", &Fault{What: "has the character " + quoted(c) + ", which is in no host name"}
		}
	}
	return name, nil
}

func checkIPv6(name string) (string, *Fault) {
	addr, err := netip.ParseAddr(name)
	switch {
	case err != nil:
		return "", &Fault{What: "is neither a name nor an IPv6 address"}
	case addr.Zone() != "":
		return "", &Fault{"has a zone, which browsers send in no origin", "[" + addr.WithZone("").String() + "]"}
	}
	return name, nil
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c >= utf8.RuneSelf })
}

// isNumber reports whether a label is a decimal or hexadecimal number.
func isNumber(label string) bool {
	digits, hex := strings.CutPrefix(label, "0x")
	return label != "" && strings.Trim(digits, "0123456789") == "" || hex && strings.Trim(digits, "0123456789abcdef") == ""
}

func quoted(c rune) string { return `"` + string(c) + `"` }
