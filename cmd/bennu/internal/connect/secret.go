package connect

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/bennu-go/bennu/internal/redact"
)

// maxSecret bounds the size of a file with a secret, in bytes.
const maxSecret = 64 << 10

// secrets has the secrets that were read from files. Files are read again for each connection and join,
// since tokens expire. Secrets are masked in all output.
type secrets struct {
	mu    sync.Mutex
	known []string // the longest first, as one may be the beginning of another
}

// read returns the secret in a file, without the line break at its end.
func (s *secrets) read(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	switch secret := strings.TrimSpace(string(data)); {
	case err != nil:
		return "", err
	case len(data) > maxSecret:
		return "", fmt.Errorf("%s has more than %d bytes, which is too large for a secret", path, maxSecret)
	case secret == "":
		return "", fmt.Errorf("%s is empty", path)
	default:
		s.add(secret)
		return secret, nil
	}
}

// add makes mask hide a secret, in each form in which the output may have it.
func (s *secrets) add(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	quoted, _ := json.Marshal(secret) // a string always has JSON
	for _, form := range []string{secret, string(quoted[1 : len(quoted)-1]), url.QueryEscape(secret)} {
		if len(form) < 4 { // such a short text would be masked everywhere
			continue
		}
		if !slices.Contains(s.known, form) {
			s.known = append(s.known, form)
		}
	}
	slices.SortStableFunc(s.known, func(a, b string) int { return len(b) - len(a) })
}

// mask hides the secrets in text.
func (s *secrets) mask(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, secret := range s.known {
		text = strings.ReplaceAll(text, secret, redact.Mask)
	}
	return text
}

// text returns the text of an error without secrets and control characters.
func (s *secrets) text(err error) string {
	return strings.ReplaceAll(redact.Text(s.mask(err.Error())), "client: ", "")
}
