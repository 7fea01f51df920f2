package redishistory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/internal/redisconn"
)

// store implements history.Store.
type store struct {
	prefix string
	router *router
	book   *notice.Book
}

// New connects to Redis and returns a store, for history.Options. It fails if a server cannot be reached,
// refuses the login or lacks a command or permission; the error says what to do, and quotes no password.
// ctx bounds the start alone. opts is copied. Close the store, or the history.Log that has it.
func New(ctx context.Context, opts *Options) (history.Store, error) {
	s, err := open(ctx, opts)
	if err != nil {
		return nil, fmt.Errorf("redishistory: %w", err)
	}
	return s, nil
}

func open(ctx context.Context, opts *Options) (*store, error) {
	if opts == nil {
		return nil, errors.New("the options are nil; set URL at least")
	}
	prefix, err := opts.prefix()
	if err != nil {
		return nil, err
	}
	t, err := redisconn.New(&redisconn.Options{
		URL: opts.URL, Addrs: opts.Addrs, MasterName: opts.MasterName, Cluster: opts.Cluster,
		Username: opts.Username, Password: opts.Password,
		SentinelUsername: opts.SentinelUsername, SentinelPassword: opts.SentinelPassword,
		TLS: opts.TLS, DialTimeout: opts.DialTimeout,
	})
	if err != nil {
		return nil, err
	}
	log := opts.Logger
	if log == nil {
		log = slog.Default()
	}
	s := &store{prefix: prefix, router: newRouter(t, prefix), book: notice.NewBook(slog.New(redact.NewHandler(log.Handler())))}
	if err := s.probe(ctx); err != nil {
		_ = s.Close(ctx) // the first error counts
		return nil, t.Advise(err)
	}
	return s, nil
}

// probe tries every command at every server, so that a permission or a version is found to be missing
// when the program starts, and not when the first message is published. It leaves no key behind.
func (s *store) probe(ctx context.Context) error {
	slots, err := s.router.slots(ctx)
	if err != nil {
		return err
	}
	for _, slot := range slots {
		k := s.probeKeys(slot)
		c := &call{script: probeScript, slot: k.slot(), keys: []string{k.meta(), k.stream(), k.key("")}}
		if err := s.router.do(ctx, c); err != nil {
			// Without the classes for callers of the store.
			if cause, ok := errors.AsType[*failure](err); ok {
				return cause.cause
			}
			return err
		}
	}
	return nil
}

// Close implements history.Store.
func (s *store) Close(ctx context.Context) error { return s.router.close(ctx) }
