package client_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/client"
)

// A proxy that requires a login redirects to another server, which must not get the token.
func TestARedirectToAnotherServerGetsNoSecrets(t *testing.T) {
	for _, m := range []mode{wsV2, lpV2} {
		t.Run(m.name, func(t *testing.T) {
			seen := make(chan string, 10)
			other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				seen <- fmt.Sprint(r.URL, r.Header)
				w.WriteHeader(http.StatusForbidden)
			}))
			defer other.Close()
			first := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				to := other.URL + "/login"
				if r.URL.Path != "/again" {
					r.URL.Path = "/again"
					to = r.URL.String()
				} else {
					seen <- fmt.Sprint(r.Header)
				}
				http.Redirect(w, r, to, http.StatusFound)
			}))
			defer first.Close()
			_, err := client.Dial(t.Context(), first.URL+"/socket", m.options(t, &client.Options{
				Params: object{"key": "xyzzy"}, AuthToken: "plugh",
			}))
			if err == nil || strings.Contains(err.Error(), "xyzzy") {
				t.Errorf("Dial: %v", err)
			}
			const encoded = "cGx1Z2g" // plugh
			if got := next(t, "the redirect to the server itself", seen); !strings.Contains(got, "plugh") && !strings.Contains(got, encoded) {
				t.Errorf("the server itself got no token: %s", got)
			}
			got := next(t, "the redirect", seen)
			for _, secret := range []string{"xyzzy", "plugh", encoded} {
				if strings.Contains(got, secret) {
					t.Errorf("the other server got %s", got)
				}
			}
		})
	}
}
