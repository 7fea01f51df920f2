package connect

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/bennu-go/bennu/client"
	"github.com/bennu-go/bennu/internal/redact"
)

// tokenEnv is the variable of the environment that may hold the token.
const tokenEnv = "BENNU_TOKEN"

// noLog discards the log of the client, since standard error is the terminal.
var noLog = slog.New(slog.DiscardHandler)

// A target is the URL of a server, with the credentials and options for connecting.
type target struct {
	url        string // without a query
	params     map[string]any
	paramFiles map[string]string // the path of the file for each parameter
	joinFiles  map[string]string // the same for members of the payload of joins
	tokenFile  string
	token      string // of the environment
	header     http.Header
	transport  string
	version    string
	timeout    time.Duration
	resume     bool
	sinceParam string // the name of the position in the payload of a join
	secrets    *secrets
}

// newTarget reads the flags. Its error is a misuse.
func newTarget(f *flags, address string, getenv func(string) string) (*target, error) {
	t := &target{timeout: f.timeout, resume: f.resume, sinceParam: f.sinceParam, secrets: new(secrets), header: http.Header{}, tokenFile: f.tokenFile, params: map[string]any{}}
	if err := t.parseURL(address); err != nil {
		return nil, err
	}
	for _, p := range f.params {
		name, value, ok := strings.Cut(p, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--param wants NAME=VALUE")
		}
		if redact.Sensitive(name) {
			return nil, fmt.Errorf("others on this machine can see arguments: write %s into a file, and use --param-file %s=FILE", name, name)
		}
		t.params[name] = value
	}
	var err error
	if t.paramFiles, err = files("param-file", f.paramFiles); err != nil {
		return nil, err
	}
	if t.joinFiles, err = files("join-file", f.joinFiles); err != nil {
		return nil, err
	}
	for _, h := range f.headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok || name == "" {
			return nil, fmt.Errorf("--header wants 'NAME: VALUE'")
		}
		if redact.Sensitive(name) {
			return nil, fmt.Errorf("others on this machine can see arguments: write the value of %s into a file, and use --header-file %s=FILE", name, name)
		}
		value = strings.TrimSpace(value)
		if err := checkHeader("header", name, value); err != nil {
			return nil, err
		}
		t.header.Add(name, value)
	}
	headerFiles, err := files("header-file", f.headerFiles)
	if err != nil {
		return nil, err
	}
	for name, path := range headerFiles {
		value, err := t.secrets.read(path)
		if err != nil {
			return nil, fmt.Errorf("--header-file: %w", err)
		}
		if err := checkHeader("header-file", name, value); err != nil {
			return nil, err
		}
		t.header.Set(name, value)
	}
	if f.origin != "" {
		if err := checkOrigin(f.origin); err != nil {
			return nil, err
		}
		t.header.Set("Origin", f.origin)
	}
	switch f.transport {
	case "websocket", "longpoll":
		t.transport = f.transport
	default:
		return nil, fmt.Errorf("--transport is websocket or longpoll, not %q", redact.Text(f.transport))
	}
	switch f.vsn {
	case "2", "2.0.0":
		t.version = "2.0.0"
	case "1", "1.0.0":
		t.version = "1.0.0"
	default:
		return nil, fmt.Errorf("--vsn is 1 or 2, not %q", redact.Text(f.vsn))
	}
	if t.timeout <= 0 {
		return nil, fmt.Errorf("--timeout must be above 0")
	}
	if token := getenv(tokenEnv); token != "" && t.tokenFile == "" {
		t.token = token
		t.secrets.add(token)
	}
	return t, t.check()
}

// parseURL parses a URL, which may have the suffix of a transport, and parameters in its query.
func (t *target) parseURL(address string) error {
	u, err := readURL(strings.TrimSpace(address))
	if err != nil {
		return err
	}
	if u.User != nil {
		return fmt.Errorf("others on this machine can see arguments: write the user and password of the URL into a header of a file, and use --header-file Authorization=FILE")
	}
	for name, values := range u.Query() {
		if redact.Sensitive(name) {
			return fmt.Errorf("others on this machine can see arguments: take %s out of the URL, write it into a file, and use --param-file %s=FILE", redact.Text(name), redact.Text(name))
		}
		if name != "vsn" && len(values) > 0 {
			t.params[name] = values[len(values)-1]
		}
	}
	u.RawQuery, u.Fragment = "", ""
	u.Path = strings.TrimSuffix(u.Path, "/")
	u.Path = strings.TrimSuffix(strings.TrimSuffix(u.Path, "/websocket"), "/longpoll")
	u.RawPath = ""
	t.url = u.String()
	return nil
}

// readURL parses a URL, and replaces http and https by ws and wss. Its errors do not quote parts of the
// URL that may be secret.
func readURL(address string) (*url.URL, error) {
	const form = "the URL has the form ws://localhost:4000/socket"
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		known := err == nil && slices.Contains([]string{"ws", "wss", "http", "https"}, u.Scheme)
		if bare := "ws://" + address; !known && strings.IndexFunc(address, unusual) < 0 && !strings.Contains(address, "//") {
			if u, err := url.Parse(bare); err == nil && u.Hostname() != "" {
				return nil, fmt.Errorf("%s, and this one has no ws:// in front: %s", form, bare)
			}
		}
		return nil, errors.New(form)
	}
	switch u.Scheme {
	case "http":
		u.Scheme = "ws"
	case "https":
		u.Scheme = "wss"
	case "ws", "wss":
	default:
		return nil, fmt.Errorf("the URL begins with ws, wss, http or https, not with %s", redact.Text(u.Scheme))
	}
	if err := checkPort(u.Port()); err != nil {
		return nil, fmt.Errorf("the URL has %w", err)
	}
	return u, nil
}

// unusual matches characters that are not usual in a host, a port or a path.
func unusual(c rune) bool {
	return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune(".:/-_[]", c))
}

func checkPort(port string) error {
	if n, err := strconv.Atoi(port); port != "" && (err != nil || n < 1 || n > 65535) {
		return fmt.Errorf("the port %s; a port is a number from 1 to 65535", port)
	}
	return nil
}

// checkOrigin accepts origins as browsers send them: a scheme and a host, without a path.
func checkOrigin(origin string) error {
	if origin == "null" {
		return nil
	}
	u, err := url.Parse(origin)
	switch {
	case err != nil, u.Host == "", u.User != nil, u.Scheme != "http" && u.Scheme != "https":
	case u.Path != "", u.RawQuery != "", u.Fragment != "":
		return fmt.Errorf("--origin must not have a path; write %s://%s", u.Scheme, u.Host)
	default:
		return checkPort(u.Port())
	}
	return errors.New("--origin is the scheme and the host of a page, such as https://example.com")
}

// checkHeader refuses headers that HTTP does not allow.
func checkHeader(flag, name, value string) error {
	if name == "" || strings.IndexFunc(name, func(c rune) bool {
		return c != '.' && c != '~' && (c == ':' || c == '/' || c == '[' || c == ']' || unusual(c))
	}) >= 0 {
		return fmt.Errorf("--%s has the name %q; the name of a header has letters, digits and dashes", flag, redact.Text(name))
	}
	if strings.IndexFunc(value, func(c rune) bool { return c != '\t' && (c < ' ' || c == 0x7f) }) >= 0 {
		return fmt.Errorf("--%s %s has a value with a line break or another control character, which no header can have", flag, redact.Text(name))
	}
	return nil
}

// files reads values NAME=PATH.
func files(flag string, values []string) (map[string]string, error) {
	paths := map[string]string{}
	for _, v := range values {
		name, path, ok := strings.Cut(v, "=")
		if !ok || name == "" || path == "" {
			return nil, fmt.Errorf("--%s wants NAME=FILE", flag)
		}
		paths[name] = path
	}
	return paths, nil
}

// check reads every secret once, so that a mistake is an error at start and the secrets are masked
// from the first line on.
func (t *target) check() error {
	if _, err := t.readParams(context.Background()); err != nil {
		return fmt.Errorf("--param-file: %w", err)
	}
	if _, err := t.readToken(context.Background()); err != nil {
		return fmt.Errorf("--token-file: %w", err)
	}
	for _, path := range t.joinFiles {
		if _, err := t.secrets.read(path); err != nil {
			return fmt.Errorf("--join-file: %w", err)
		}
	}
	return nil
}

func (t *target) readParams(context.Context) (map[string]any, error) {
	params := maps.Clone(t.params)
	for name, path := range t.paramFiles {
		secret, err := t.secrets.read(path)
		if err != nil {
			return nil, err
		}
		params[name] = secret
	}
	return params, nil
}

func (t *target) readToken(context.Context) (string, error) {
	if t.tokenFile == "" {
		return t.token, nil
	}
	return t.secrets.read(t.tokenFile)
}

// socket makes a socket that is not connected.
func (t *target) socket(trace *client.Trace) (*client.Socket, error) {
	opts := &client.Options{
		ParamsFunc: t.readParams,
		Transport:  t.transport,
		Version:    t.version,
		Header:     t.header,
		Timeout:    t.timeout,
		SinceParam: t.sinceParam,
		Trace:      trace,
		Logger:     noLog,
	}
	if t.tokenFile != "" || t.token != "" {
		opts.AuthTokenFunc = t.readToken
	}
	return client.New(t.url, opts)
}

// explain returns the text of an error of the connection, with a remedy if there is one.
func (t *target) explain(err error) string {
	var (
		refused *client.RefusedError
		closed  *client.CloseError
	)
	switch {
	case errors.Is(err, client.ErrClosed):
		return errDisconnected.Error()
	case errors.As(err, &closed):
		text := fmt.Sprintf("closed with code %d", closed.Code)
		if meaning := closeCodes[closed.Code]; meaning != "" {
			text += ", " + meaning
		}
		if closed.Reason != "" {
			text += fmt.Sprintf(" (%s)", redact.Text(closed.Reason))
		}
		return text
	case !errors.As(err, &refused):
		return t.secrets.text(err) + remedy(err)
	}
	text := fmt.Sprintf("the server answers %d %s", refused.Status, http.StatusText(refused.Status))
	switch status := refused.Status; {
	case status == http.StatusBadRequest && strings.HasPrefix(t.url, "ws://"):
		return text + "; if it speaks TLS, the URL begins with wss://"
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed, status < http.StatusBadRequest:
		return text + "; there may be no socket at this path, as a rule it is /socket"
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return text + "; it refuses the token, the parameters or the origin (--token-file, --param-file, --origin)"
	}
	return text
}

// remedy says what to do about an error of the network, or returns "".
func remedy(err error) string {
	var (
		plain   tls.RecordHeaderError
		unknown *net.DNSError
	)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "; is the server running there?"
	case errors.As(err, &unknown) && unknown.IsNotFound:
		return "; is the name of the host right?"
	case errors.As(err, &plain), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return "; the server speaks no TLS there, so the URL begins with ws://"
	}
	return ""
}

// closeCodes has the meanings of close codes.
var closeCodes = map[int]string{
	1000: "done",
	1001: "going away",
	1002: "a breach of the protocol, or silence for too long",
	1003: "data that it does not accept",
	1005: "no reason",
	1006: "without a close frame",
	1007: "text that is not UTF-8",
	1008: "against its rules",
	1009: "a message too large",
	1011: "an error of the server",
	1012: "a restart",
	1013: "try again later",
	3410: "the session of the long poll is gone",
}
