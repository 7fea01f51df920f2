package bennu_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/token"
)

// TestRenewJunk renews with tokens that are none: the client is told so, and the log has a line
// that no operator is woken for.
func TestRenewJunk(t *testing.T) {
	keys, err := token.New([]string{strings.Repeat("k", 32)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	users := one("room:*", rooms())
	users.Renew = func(_ context.Context, _ *bennu.Socket, text string) (time.Time, error) {
		if text == "refused" {
			return time.Time{}, bennu.ErrRefused
		}
		_, err := keys.Verify("user", text)
		return time.Time{}, err
	}
	s := serve(t, users, nil, nil)
	c := wstest.Dial(t, s.url)
	for _, text := range []string{"junk", "a.b.c", "", "refused", strings.Repeat("x", 10_000)} {
		c.Want("phoenix", "access_token", `{"access_token":"`+text+`"}`, "error", `{"reason":"invalid token"}`)
	}
	if n := s.Stats().Reasons["renew_refused"]; n != 5 {
		t.Errorf("%d refusals are counted", n)
	}
	if s.Stats().Reasons["handler_failed"] > 0 || strings.Contains(s.log.all(), "xxxx") {
		t.Errorf("the log: %s", s.log.all())
	}
}
