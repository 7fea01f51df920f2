package transport

import (
	"net/http"
	"net/url"
	"strings"
)

// Headers in which a browser says where a request without Origin comes from, in the canonical form
// of net/http.
const (
	fetchSite = "Sec-Fetch-Site"
	fetchMode = "Sec-Fetch-Mode"
	fetchDest = "Sec-Fetch-Dest"
	referer   = "Referer"
)

// fetchAllowed reports whether a request without an Origin header is allowed. Browsers omit the
// header in GET requests of a page to its own server, and in those of images, frames and links of
// any page. Scripts and phones send none of the headers that it looks at.
//
// Browsers send Sec-Fetch-Site over HTTPS, and to localhost. Then the request must come from a
// script of the server's own pages, or be typed in by the user. Otherwise the Referer, if there is
// one, must belong to a page that the origin policy allows.
func (c *Checks) fetchAllowed(r *http.Request) bool {
	sites := r.Header[fetchSite]
	if len(sites) == 0 {
		return c.refererAllowed(r)
	}
	for _, site := range sites {
		if site != "same-origin" && site != "none" {
			return false
		}
	}
	typed := sites[0] == "none"
	for _, mode := range r.Header[fetchMode] {
		switch mode {
		case "cors", "same-origin", "websocket":
		case "navigate":
			if !typed {
				return false
			}
		default: // no-cors, which is an image, a style sheet, a script
			return false
		}
	}
	for _, dest := range r.Header[fetchDest] {
		switch dest {
		case "empty", "websocket":
		case "document":
			if !typed {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// refererAllowed asks the origin policy about the page that the Referer names. It allows any
// handshake of a WebSocket: browsers send an Origin with it, and no page can set its headers.
func (c *Checks) refererAllowed(r *http.Request) bool {
	if len(r.Header["Sec-Websocket-Key"]) > 0 {
		return true
	}
	for _, line := range r.Header[referer] {
		origin := originOf(line)
		if origin == "" {
			continue
		}
		asked := *r
		asked.Header = http.Header{"Origin": {origin}}
		for name, values := range r.Header {
			if name != "Origin" {
				asked.Header[name] = values
			}
		}
		if !c.originPolicy(&asked) {
			return false
		}
	}
	return true
}

// originOf returns the origin of a page on the web, or "" for any other text.
func originOf(page string) string {
	u, err := url.Parse(page)
	if err != nil || u.Host == "" {
		return ""
	}
	switch scheme := strings.ToLower(u.Scheme); scheme {
	case "http", "https":
		return scheme + "://" + u.Host
	}
	return ""
}
