package connect

import (
	"strings"
	"testing"

	"github.com/bennu-go/bennu/wire"
)

func TestASecretThatIsCutIsNotShown(t *testing.T) {
	const secret = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl"
	var s secrets
	s.add(secret)
	for limit := range 120 {
		var out strings.Builder
		p := &printer{limit: limit + 1, mask: s.mask, out: &out}
		f := &frame{out: true, message: message("phx_join", ""), payload: wire.Payload{Data: []byte(`{"access_token":"` + secret + `","z":1}`)}}
		p.frame(f)
		if strings.Contains(out.String(), secret[:4]) {
			t.Fatalf("with %d characters: %s", limit+1, out.String())
		}
	}
}

func TestASecretThatBeginsLikeAnotherIsNotShown(t *testing.T) {
	var s secrets
	s.add("sesame")
	s.add("sesame-open-wide") // of the same file, later
	if got := s.mask("a sesame-open-wide b sesame c"); strings.Contains(got, "wide") || strings.Contains(got, "sesame") {
		t.Errorf("masked %q", got)
	}
}
