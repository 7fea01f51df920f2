package hello

import (
	"context"
	"errors"
	"strings"

	"github.com/bennu-go/bennu"
)

// inventory holds the data that the channels of all items share. Its method join is
// the Join function: methods can be handlers, too.
type inventory struct{ stock *stock }

// itemChannel is one client's view of one item. The topic names the item, so a
// client gets the changes of the items that it has joined and of no others.
type itemChannel struct {
	*bennu.Channel
	stock *stock
	sku   string
}

func inventories(s *stock) bennu.ChannelHandler {
	d := bennu.Define(inventory{s}.join)
	bennu.On(d, "take", (*itemChannel).take)
	bennu.On(d, "restock", (*itemChannel).restock)
	bennu.OnInfo(d, (*itemChannel).show)
	return d
}

type item struct {
	SKU   string `json:"sku"`
	Shelf int    `json:"shelf"`
}

// shown is the message that makes the channel push the number in stock.
type shown struct{}

func (inv inventory) join(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*itemChannel, item, error) {
	sku := strings.TrimPrefix(ch.Topic(), "inventory:")
	if !inv.stock.has(sku) {
		return nil, item{}, bennu.Errorf("no such item")
	}
	return &itemChannel{ch, inv.stock, sku}, item{sku, shelf}, ch.Send(shown{})
}

type level struct {
	SKU   string `json:"sku"`
	Stock int    `json:"stock"`
}

// show runs after the join. From then on the client gets every change, so none is
// missed between this number and the next.
func (i *itemChannel) show(context.Context, shown) error {
	return i.stock.change(i.sku, 0, func(left int) error {
		return i.Push("stock", level{i.sku, left})
	})
}

func (i *itemChannel) take(context.Context, bennu.Empty) (bennu.Empty, error) {
	return bennu.Empty{}, i.change(-1)
}

func (i *itemChannel) restock(context.Context, bennu.Empty) (bennu.Empty, error) {
	return bennu.Empty{}, i.change(+1)
}

// change adds by to the stock and broadcasts the new number on the topic of this item.
// The broadcast stays on this node, since each node has a stock of its own. A broadcast
// does not wait for slow clients, so the stock may call it under its lock.
func (i *itemChannel) change(by int) error {
	err := i.stock.change(i.sku, by, func(left int) error {
		return i.Socket().Endpoint().LocalBroadcast(i.Topic(), "stock", level{i.sku, left})
	})
	if errors.Is(err, errSoldOut) || errors.Is(err, errFull) {
		return bennu.Errorf("%v", err)
	}
	return err
}
