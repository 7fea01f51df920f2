package hello

import (
	"context"
	"errors"
	"strings"

	"github.com/bennu-go/bennu"
)

// inventory is what the channels of all items have in common: a handler is a
// value, and its methods may be its Join functions.
type inventory struct{ stock *stock }

// itemChannel is one client's view of one item. The topic names the item, so a
// client hears of the items it has joined and of no other.
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

// shown asks the channel to push the number that is in stock now.
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

// show runs after the join, when no change can be missed any more.
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

// change broadcasts on this item's topic alone, and on this node alone: other nodes
// have a stock of their own. It never waits for a slow reader, which is why it may be
// called under the lock of the stock.
func (i *itemChannel) change(by int) error {
	err := i.stock.change(i.sku, by, func(left int) error {
		return i.Socket().Endpoint().LocalBroadcast(i.Topic(), "stock", level{i.sku, left})
	})
	if errors.Is(err, errSoldOut) || errors.Is(err, errFull) {
		return bennu.Errorf("%v", err)
	}
	return err
}
