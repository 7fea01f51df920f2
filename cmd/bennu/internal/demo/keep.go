package demo

import (
	"context"
	"errors"
	"time"

	"github.com/bennu-go/bennu/history"
)

// kept says what is kept of the chat rooms.
var kept = []history.Topic{{Pattern: "room:*", Size: 100, Age: time.Hour, Rewind: 20}}

// keep makes the history of the chat rooms: in memory if the node is alone, and in Redis if that connects
// the nodes. Otherwise there is none: NATS need not have JetStream.
func (d *demo) keep(ctx context.Context) (err error) {
	store, err := d.cluster.store(ctx)
	if err != nil || store == nil && d.adapter != nil {
		return err
	}
	d.history, err = history.New(ctx, d.pubsub, &history.Options{Store: store, Topics: kept, Logger: d.log})
	if err != nil && store != nil {
		err = errors.Join(err, store.Close(ctx))
	}
	return err
}

// forget closes the history.
func (d *demo) forget(ctx context.Context) error {
	if d.history == nil {
		return nil
	}
	return d.history.Close(ctx)
}
