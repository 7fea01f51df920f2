package transport

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/bennu-go/bennu/internal/weborigin"
)

// originEntry is one entry of a list. An empty scheme or port matches any.
type originEntry struct {
	scheme, host, port string
	below              bool // also every host that ends in "." + host
}

// parseEntries parses the arguments of Origins.
func parseEntries(list []string) ([]originEntry, error) {
	if len(list) == 0 {
		return nil, errors.New("transport: the list of origins is empty: name at least one, such as \"https://example.com\"")
	}
	entries := make([]originEntry, len(list))
	for i, s := range list {
		e, err := parseEntry(strings.TrimSpace(s))
		if err != nil {
			return nil, fmt.Errorf("transport: origin %q %w", weborigin.HideUser(s), err)
		}
		entries[i] = e
	}
	return entries, nil
}

// parseEntry parses one entry. The error completes a sentence that begins with the entry.
func parseEntry(s string) (e originEntry, err error) {
	u, err := url.Parse(s)
	switch {
	case s == "*":
		return e, errors.New("lets in every website: write InsecureSkipOriginCheck: true for that, or name the sites, like \"https://*.example.com\"")
	case s == "null", strings.HasPrefix(s, "file:"):
		return e, errors.New("has no host, as pages from files have none: remove it, or decide about them with OriginFunc")
	case strings.Contains(s, ","):
		return e, errors.New("is a list: give each origin as an argument of its own")
	case err != nil || u.Hostname() == "":
		return e, noHost(s, err)
	case u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return e, fmt.Errorf("must be a scheme, a host and a port only: remove the rest, and write %q", written(u, u.Hostname()))
	}
	name, below := strings.CutPrefix(u.Hostname(), "*.")
	if name == "" || strings.Contains(name, "*") {
		return e, errors.New("may use * only as its whole first label, like \"https://*.example.com\"")
	}
	host, fault := weborigin.CheckHost(name)
	if fault == nil && below && weborigin.IsAddress(host) {
		fault = &weborigin.Fault{What: "is an address, below which there are no hosts", Right: host}
		below = false
	}
	if fault != nil {
		if fault.Right != "" && below {
			fault.Right = "*." + strings.TrimPrefix(fault.Right, "*.")
		}
		if fault.Right != "" {
			fault.Right = written(u, fault.Right)
		}
		return e, fmt.Errorf("has a host that %w", fault)
	}
	e = originEntry{scheme: weborigin.Scheme(u.Scheme), host: host, below: below}
	if p := u.Port(); p != "" {
		var ok bool
		if e.port, ok = weborigin.Port(p); !ok {
			return e, fmt.Errorf("has the port %s: write one from 1 to 65535, or none", p)
		}
	}
	if e.port == "" {
		e.port = weborigin.DefaultPort(e.scheme)
	}
	return e, nil
}

// noHost returns the error for an entry without slashes before its host, or without a host. unread
// is the error of url.Parse, or nil.
func noHost(s string, unread error) error {
	rest, _ := weborigin.CutScheme(s)
	rest = strings.TrimLeft(rest, "/")
	what, host := "has no host: write it with two slashes, like", "example.com"
	if unread != nil {
		what, host = "is not a URL: write it like", "example.com:8443"
	}
	if u, err := url.Parse("//" + rest); err == nil && u.Hostname() != "" {
		if _, err := parseEntry("//" + u.Host); err == nil {
			host = u.Host
		}
	}
	return fmt.Errorf("%s %q or %q", what, "//"+host, "https://"+host)
}

// written returns an entry as it should be written.
func written(u *url.URL, host string) string {
	right := url.URL{Scheme: u.Scheme, Host: weborigin.Join(strings.Trim(host, "[]"), u.Port(), "")}
	return right.String()
}

// matches reports whether an origin in normal form matches the entry.
func (e *originEntry) matches(origin *url.URL) bool {
	if e.scheme != "" && e.scheme != origin.Scheme {
		return false
	}
	port := origin.Port()
	if port == "" {
		port = weborigin.DefaultPort(origin.Scheme)
	}
	if e.port != "" && e.port != port {
		return false
	}
	host := origin.Hostname()
	if host == e.host {
		return true
	}
	// The label before the dot must not be empty.
	label, ok := strings.CutSuffix(host, "."+e.host)
	return e.below && ok && label != ""
}
