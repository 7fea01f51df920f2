package transport

import (
	"errors"
	"net/http"
)

// SessionCheck gives an application the web session of the browser behind a connection. A browser
// sends its cookies with requests that any page makes. So the session is shown only if the request
// proves that it comes from a page of the application: its parameter _csrf_token is the CSRF token
// of the session, and it has an Origin header, which the origin check allows, or Sec-Fetch-Site:
// same-origin. Otherwise the connection goes on without a session.
//
// Package token reads the cookies of Plug and checks its CSRF tokens.
type SessionCheck struct {
	// Read returns the session of a request, or false if there is no valid one. It is called
	// concurrently and must not keep the request.
	Read func(r *http.Request) (map[string]any, bool)
	// CSRF reports whether a token was made for a session. It is called concurrently, and should
	// compare in constant time.
	CSRF func(session map[string]any, token string) bool
	// InsecureSkipCSRFCheck shows the session without a token. It must not be combined with
	// InsecureSkipOriginCheck.
	InsecureSkipCSRFCheck bool
}

// csrfParam is the parameter in which a page sends its CSRF token, as applications with phoenix.js
// do.
const csrfParam = "_csrf_token"

// validate returns an error for checks that cannot work, as a sentence that says what to do.
func (c *Checks) validate() error {
	if err := checkTokenParam(c.TokenParam); err != nil {
		return err
	}
	s := c.Session
	switch {
	case s == nil:
		return nil
	case s.Read == nil:
		return errors.New("the session has no Read; set it to a function that reads the session, or leave Session nil")
	case s.InsecureSkipCSRFCheck && c.InsecureSkipOriginCheck:
		return errors.New("origin and CSRF checks are both off, so any website could act as its visitors; turn one of them on, or leave Session nil")
	case s.CSRF == nil && !s.InsecureSkipCSRFCheck:
		return errors.New("the session has no CSRF; set it to a function that checks tokens, or write InsecureSkipCSRFCheck: true")
	}
	return nil
}

// session returns the session of a request that proves it may have it, or nil.
func (c *Checks) session(r *http.Request, params Params) map[string]any {
	s := c.Session
	if s == nil || r.Header.Get("Origin") == "" && r.Header.Get("Sec-Fetch-Site") != "same-origin" {
		return nil
	}
	session, ok := s.Read(r)
	if !ok {
		return nil
	}
	if !s.InsecureSkipCSRFCheck {
		token, ok := params.String(csrfParam)
		if !ok || !s.CSRF(session, token) {
			return nil
		}
	}
	return session
}
