package hello

import (
	"errors"
	"sync"
	"testing"

	"github.com/bennu-go/bennu"
)

func TestStock(t *testing.T) {
	s := &stock{left: map[string]int{"reed": 1}}
	told := -1
	tell := func(left int) error { told = left; return nil }
	steps := []struct {
		by   int
		err  error
		told int
	}{
		{0, nil, 1},
		{-1, nil, 0},
		{-1, errSoldOut, 0},
		{+shelf, nil, shelf},
		{+1, errFull, shelf},
	}
	for i, step := range steps {
		if err := s.change("reed", step.by, tell); !errors.Is(err, step.err) || told != step.told {
			t.Errorf("step %d: %v and %d in stock, want %v and %d", i, err, told, step.err, step.told)
		}
	}
	if !s.has("reed") || s.has("gold") {
		t.Error("has is wrong")
	}
}

// Whoever listens must be told of changes in the order in which they happened.
func TestStockTellsInOrder(t *testing.T) {
	s := &stock{left: map[string]int{"reed": shelf}}
	var told []int
	var takers sync.WaitGroup
	for range shelf {
		takers.Go(func() {
			_ = s.change("reed", -1, func(left int) error { told = append(told, left); return nil })
		})
	}
	takers.Wait()
	for i, left := range told {
		if left != shelf-1-i {
			t.Fatalf("told %v", told)
		}
	}
}

func TestInventory(t *testing.T) {
	var users bennu.SocketHandler
	users.Channel("inventory:*", inventories(&stock{left: map[string]int{"papyrus": 2, "lapis": 1}}))
	url := serve(t, &users, nil)
	one, both := dial(t, url), dial(t, url)

	one.want("inventory:papyrus", "phx_join", `{}`, "ok", `{"sku":"papyrus","shelf":12}`)
	stockIs := func(c *client, sku, want string) {
		t.Helper()
		if got := string(c.wait("inventory:"+sku, "stock").payload); got != want {
			t.Errorf("stock %s, want %s", got, want)
		}
	}
	stockIs(one, "papyrus", `{"sku":"papyrus","stock":2}`)
	both.join("inventory:papyrus", `{}`)
	both.join("inventory:lapis", `{}`)
	stockIs(both, "papyrus", `{"sku":"papyrus","stock":2}`)
	stockIs(both, "lapis", `{"sku":"lapis","stock":1}`)

	both.want("inventory:lapis", "take", `{}`, "ok", `{}`)
	both.want("inventory:lapis", "take", `{}`, "error", `{"reason":"sold out"}`)
	both.want("inventory:papyrus", "take", `{}`, "ok", `{}`)
	stockIs(both, "lapis", `{"sku":"lapis","stock":0}`)
	stockIs(both, "papyrus", `{"sku":"papyrus","stock":1}`)

	// The first thing that reaches the one who joined papyrus alone is papyrus.
	if m := one.read(); m.topic != "inventory:papyrus" || string(m.payload) != `{"sku":"papyrus","stock":1}` {
		t.Errorf("heard %s %s on %s", m.event, m.payload, m.topic)
	}
	one.want("inventory:papyrus", "restock", `{}`, "ok", `{}`)
	stockIs(both, "papyrus", `{"sku":"papyrus","stock":2}`)
}
