package natsdial

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/nats-io/nats.go"
)

// Servers checks a list of URLs, and returns the hosts of the servers for the texts of errors. Errors do
// not quote the URLs, which may have passwords.
func Servers(list string) (hosts string, err error) {
	if list == "" {
		return "", errors.New("option URL is empty; say where NATS is, for instance nats://localhost:4222")
	}
	var all []string
	for one := range strings.SplitSeq(list, ",") {
		u, err := url.Parse(strings.TrimSpace(one))
		if err != nil || u.Host == "" {
			return "", errors.New("option URL is no URL; it looks like nats://host:4222, or several with commas between")
		}
		switch u.Scheme {
		case "nats", "tls", "ws", "wss":
		default:
			return "", fmt.Errorf("option URL has the scheme %q; use nats, tls, ws or wss", u.Scheme)
		}
		all = append(all, u.Host)
	}
	return strings.Join(all, ", "), nil
}

// Login are credentials. At most one of the four kinds is set: User and Password, Token,
// CredentialsFile, or SeedFile.
type Login struct {
	User, Password  string
	Token           string
	CredentialsFile string
	SeedFile        string
}

// Options returns the credentials as an option of the client library, or none.
func (l *Login) Options() ([]nats.Option, error) {
	var list []nats.Option
	if l.User != "" || l.Password != "" {
		list = append(list, nats.UserInfo(l.User, l.Password))
	}
	if l.Token != "" {
		list = append(list, nats.Token(l.Token))
	}
	if l.CredentialsFile != "" {
		list = append(list, nats.UserCredentials(l.CredentialsFile))
	}
	if l.SeedFile != "" {
		seed, err := nats.NkeyOptionFromSeed(l.SeedFile)
		if err != nil {
			return nil, fmt.Errorf("option SeedFile: %w", err)
		}
		list = append(list, seed)
	}
	if len(list) > 1 {
		return nil, errors.New("more than one of User, Token, CredentialsFile and SeedFile is set; use the one that the server asks for")
	}
	return list, nil
}

// Explain adds to an error of connecting what to do about it. The result wraps login if NATS refuses
// the credentials. The errors of the library contain no password.
func Explain(servers string, err, login error) error {
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		return fmt.Errorf("%s: %w (%w); check User and Password, Token, or the credentials file", servers, login, err)
	case errors.Is(err, nats.ErrNoServers):
		return fmt.Errorf("no NATS server answers at %s; is it running, and is the address right? (%w)", servers, err)
	case errors.Is(err, nats.ErrSecureConnRequired), errors.Is(err, nats.ErrSecureConnWanted):
		return fmt.Errorf("NATS at %s and this node disagree about TLS: %w; use a tls:// URL, or none", servers, err)
	}
	return fmt.Errorf("connect to NATS at %s: %w", servers, err)
}
