package connect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/bennu-go/bennu/client"
	"github.com/bennu-go/bennu/internal/redact"
)

// tokenEnv is the variable of the environment that may hold the token.
const tokenEnv = "BENNU_TOKEN"

// noLog takes what would be logged: standard error is the terminal, and no place for it.
var noLog = slog.New(slog.DiscardHandler)

// A target is where to connect, and with what.
type target struct {
	url        string // without a query
	params     map[string]any
	paramFiles map[string]string // the path of the file for each parameter
	joinFiles  map[string]string // the same for members of the payload of joins
	tokenFile  string
	token      string // of the environment
	header     http.Header
	transport  client.Transport
	version    client.Version
	timeout    time.Duration
	secrets    *secrets
}

// newTarget reads the flags. Its error is one of use.
func newTarget(f *flags, address string, getenv func(string) string) (*target, error) {
	t := &target{timeout: f.timeout, secrets: new(secrets), header: http.Header{}, tokenFile: f.tokenFile, params: map[string]any{}}
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
		t.header.Add(name, strings.TrimSpace(value))
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
		t.header.Set(name, value)
	}
	if f.origin != "" {
		t.header.Set("Origin", f.origin)
	}
	switch f.transport {
	case "websocket":
	case "longpoll":
		t.transport = client.LongPoll
	default:
		return nil, fmt.Errorf("--transport is websocket or longpoll")
	}
	switch f.vsn {
	case "2", "2.0.0":
	case "1", "1.0.0":
		t.version = client.V1
	default:
		return nil, fmt.Errorf("--vsn is 1 or 2")
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

// parseURL takes a URL with or without the last part that a transport adds, and with
// parameters in its query.
func (t *target) parseURL(address string) error {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || u.Host == "" {
		return fmt.Errorf("the URL has the form ws://localhost:4000/socket")
	}
	switch u.Scheme {
	case "http":
		u.Scheme = "ws"
	case "https":
		u.Scheme = "wss"
	case "ws", "wss":
	default:
		return fmt.Errorf("the URL begins with ws, wss, http or https")
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

// check reads every secret once, so that a mistake is told at start and what was read
// is masked from the first line on.
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
		Trace:      trace,
		Logger:     noLog,
	}
	if t.tokenFile != "" || t.token != "" {
		opts.AuthTokenFunc = t.readToken
	}
	return client.New(t.url, opts)
}

// explain is the text of an error of the connection, with what to do about it.
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
		var connect *client.ConnectError
		if errors.As(err, &connect) {
			err = connect.Err
		}
		return t.secrets.text(err)
	}
	text := fmt.Sprintf("the server answers %d %s", refused.Status, http.StatusText(refused.Status))
	switch refused.Status {
	case http.StatusNotFound:
		return text + "; there may be no socket at this path, as a rule it is /socket"
	case http.StatusUnauthorized, http.StatusForbidden:
		return text + "; it refuses the token, the parameters or the origin (--token-file, --param-file, --origin)"
	}
	return text
}

// closeCodes says what the codes mean that servers close connections with.
var closeCodes = map[int]string{
	1000: "done",
	1001: "going away",
	1002: "a breach of the protocol, or nothing heard for too long",
	1003: "data that it does not take",
	1005: "no reason",
	1006: "without a word",
	1007: "text that is no UTF-8",
	1008: "against its rules",
	1009: "a message too large",
	1011: "an error of the server",
	1012: "a restart",
	1013: "try again later",
	3410: "the session of the long poll is gone",
}
