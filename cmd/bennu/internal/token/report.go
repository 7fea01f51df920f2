package token

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	phx "github.com/bennu-go/bennu/token"
)

// A report is the result of a command, with the names of its members in JSON.
type report struct {
	now time.Time
	any any  // the data
	has bool // any is set

	Token     string          `json:"token,omitempty"`
	Kind      string          `json:"kind,omitempty"`
	Valid     *bool           `json:"valid,omitempty"` // nil when nobody has looked
	Reason    string          `json:"reason,omitempty"`
	Detail    string          `json:"detail,omitempty"`
	Note      string          `json:"note,omitempty"`
	Data      json.RawMessage `json:"data,omitempty"`
	SignedAt  string          `json:"signed_at,omitempty"`
	ExpiresAt string          `json:"expires_at,omitempty"` // "infinity" for never, "" for unknown
}

func (r *report) data(v any) {
	r.any, r.has, r.Data = v, true, toJSON(v)
}

// claims adds the content of a valid token.
func (r *report) claims(c *phx.Claims) {
	r.data(c.Data)
	r.SignedAt = stamp(c.SignedAt)
	r.ExpiresAt = "infinity"
	if !c.ExpiresAt.IsZero() {
		r.ExpiresAt = stamp(c.ExpiresAt)
	}
}

// unverified adds the content of a token that was not verified.
func (r *report) unverified(u *phx.Unverified) {
	r.data(u.Data)
	r.SignedAt = stamp(u.SignedAt)
	r.ExpiresAt = "infinity"
	if u.MaxAge != phx.Infinite {
		r.ExpiresAt = stamp(u.SignedAt.Add(u.MaxAge))
	}
}

func (r *report) refuse(err error) { r.Reason, r.Detail = reason(err), detail(err) }

// detail returns the text of an error after the reason.
func detail(err error) string {
	text := plain(err)
	for _, e := range []error{phx.ErrExpired, phx.ErrInvalid, phx.ErrMissing} {
		text = strings.TrimPrefix(strings.TrimPrefix(text, plain(e)), ": ")
	}
	return text
}

// why returns the detail as the end of a sentence.
func (r *report) why() string {
	if r.Detail == "" {
		return ""
	}
	return " (" + r.Detail + ")"
}

func (r *report) print(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}

// tell writes the content of the token.
func (r *report) tell(w io.Writer) {
	if r.has {
		fmt.Fprintf(w, "  data        %s\n", elixir(r.any))
	}
	if r.SignedAt != "" {
		fmt.Fprintf(w, "  signed at   %s%s\n", r.SignedAt, r.away(r.SignedAt))
	}
	if r.ExpiresAt != "" {
		fmt.Fprintf(w, "  good until  %s%s\n", r.ExpiresAt, r.away(r.ExpiresAt))
	}
}

// away returns the distance of a time from now, in words.
func (r *report) away(at string) string {
	t, err := time.Parse(time.RFC3339, at)
	switch {
	case err != nil:
		return ""
	case t.After(r.now):
		return " (in " + span(t.Sub(r.now)) + ")"
	}
	return " (" + span(r.now.Sub(t)) + " ago)"
}

// span formats a duration in one unit.
func span(d time.Duration) string {
	for _, u := range []struct {
		name string
		size time.Duration
	}{{"days", 24 * time.Hour}, {"hours", time.Hour}, {"minutes", time.Minute}} {
		if d >= 2*u.size {
			return fmt.Sprintf("%d %s", d.Round(u.size)/u.size, u.name) // a day is not 23 hours because it has begun
		}
	}
	return fmt.Sprintf("%d seconds", d/time.Second)
}

// stamp formats a time of a token, which may be in any year.
func stamp(t time.Time) string {
	if y := t.UTC().Year(); y < 0 || y > 9999 {
		return fmt.Sprintf("%d ms", t.UnixMilli())
	}
	return t.UTC().Format("2006-01-02T15:04:05.999Z07:00")
}
