package natshistory

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/natsdial"
	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/pubsub"
)

// Options configure New. URL is required. The zero value of every other field means its default.
type Options struct {
	// URL, User, Password, Token, CredentialsFile, SeedFile, TLS and ConnectTimeout are as in
	// natspubsub.Options.
	URL             string
	User, Password  string
	Token           string
	CredentialsFile string
	SeedFile        string
	TLS             *tls.Config
	ConnectTimeout  time.Duration

	// Prefix begins all subjects. It must be the same on every node, and different for applications
	// that share a NATS account. It may be that of natspubsub. Default "bennu".
	Prefix string
	// Stream is the name of the stream. New makes it if it does not exist. Default: the Prefix, with
	// _ for each dot, and "_history".
	Stream string
	// Replicas is the number of servers that have each message: 1, 3 or 5. With 3, one server may fail.
	// Default 3.
	Replicas int
	// Size is the number of messages that the stream keeps of one topic. No Size of a
	// history.Topic may be larger. Default 1,000.
	Size int
	// MaxBytes bounds the stream. When it is full, publishing fails with history.ErrUnavailable.
	// Default: only the limits of the server and the account count.
	MaxBytes int64
	// Logger gets errors. Default slog.Default().
	Logger *slog.Logger
}

// Defaults of Options.
const (
	defaultPrefix   = "bennu"
	defaultReplicas = 3
	defaultSize     = 1000
)

// New connects to NATS and returns a store. It makes the stream, or checks the one that exists; ctx
// bounds that. The error says what does not fit and what to change.
func New(ctx context.Context, opts *Options) (history.Store, error) {
	if opts == nil {
		opts = &Options{}
	}
	o := *opts
	s, err := o.store()
	if err != nil {
		return nil, fmt.Errorf("natshistory: %w", err)
	}
	if err := s.open(ctx); err != nil {
		return nil, fmt.Errorf("natshistory: %w", err)
	}
	return s, nil
}

// store checks the options and returns a store that is not connected. Inboxes are below the prefix, so that one
// rule for subjects is enough for a user that may not subscribe to others' answers.
func (o *Options) store() (*store, error) {
	servers, err := natsdial.Servers(o.URL)
	if err != nil {
		return nil, err
	}
	login := natsdial.Login{User: o.User, Password: o.Password, Token: o.Token, CredentialsFile: o.CredentialsFile, SeedFile: o.SeedFile}
	list, err := login.Options()
	if err != nil {
		return nil, err
	}
	check := option.Checker{Of: "option "}
	timeout := check.Finite("ConnectTimeout", o.ConnectTimeout, nats.DefaultTimeout, option.MaxDuration)
	if check.Err == nil {
		check.Err = o.defaults()
	}
	if check.Err != nil {
		return nil, check.Err
	}
	list = append(list, nats.Timeout(timeout), nats.CustomInboxPrefix(inboxes(o.Prefix)))
	if o.TLS != nil {
		list = append(list, nats.Secure(o.TLS))
	}
	return newStore(o, newLink(o.URL, servers, o.Prefix, timeout, list)), nil
}

// defaults sets the values of zero fields, and checks the others.
func (o *Options) defaults() error {
	if o.Prefix == "" {
		o.Prefix = defaultPrefix
	}
	if !validPrefix(o.Prefix) {
		return errors.New("option Prefix has other characters than letters, digits, -, _ and single dots within, or more than 128")
	}
	if o.Stream == "" {
		o.Stream = strings.ReplaceAll(o.Prefix, ".", "_") + "_history"
	}
	if o.Stream == "" || len(o.Stream) > 200 || strings.Trim(o.Stream, plain) != "" {
		return errors.New("option Stream has other characters than letters, digits, - and _, or more than 200")
	}
	if o.Replicas == 0 {
		o.Replicas = defaultReplicas
	}
	if o.Replicas != 1 && o.Replicas != 3 && o.Replicas != 5 {
		return fmt.Errorf("option Replicas is %d; use 3, or 1 for a single server, or 5", o.Replicas)
	}
	if o.Size == 0 {
		o.Size = defaultSize
	}
	if o.Size < 0 || o.Size > option.MaxCount {
		return fmt.Errorf("option Size is %d; use the largest Size of a history.Topic", o.Size)
	}
	if o.MaxBytes < 0 {
		return fmt.Errorf("option MaxBytes is %d; use 0 for no bound", o.MaxBytes)
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return nil
}

// validPrefix reports whether a prefix is good for subjects: it has no wildcards and no empty parts, and
// leaves room for a topic in a line of the protocol.
func validPrefix(prefix string) bool {
	if len(prefix) > 128 {
		return false
	}
	for token := range strings.SplitSeq(prefix, ".") {
		if token == "" || strings.Trim(token, plain) != "" {
			return false
		}
	}
	return true
}

// errLogin is the error of wrong credentials, the same as that of adapters.
var errLogin = pubsub.ErrLogin
