package hello

import (
	"errors"
	"sync"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/channeltest"
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

// Changes must be told in the order in which they happen.
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
	endpoint := channeltest.Mount(t, &users, nil)
	one, both := endpoint.Connect(t, nil), endpoint.Connect(t, nil)

	papyrus, got := channeltest.Join[bennu.Raw](t, one, "inventory:papyrus", nil)
	if string(got) != `{"sku":"papyrus","shelf":12}` {
		t.Errorf("joined %s", got)
	}
	papyrus.ExpectPush(t, "stock", bennu.Raw(`{"sku":"papyrus","stock":2}`))
	papyrusToo := both.Join(t, "inventory:papyrus", nil)
	lapis := both.Join(t, "inventory:lapis", nil)
	papyrusToo.ExpectPush(t, "stock", level{"papyrus", 2})
	lapis.ExpectPush(t, "stock", level{"lapis", 1})

	lapis.Push(t, "take", nil).ExpectOK(t)
	if err := lapis.Push(t, "take", nil).ExpectError(t); err.Reason != "sold out" {
		t.Errorf("took what is not there: %v", err)
	}
	papyrusToo.Push(t, "take", nil).ExpectOK(t)
	lapis.ExpectPush(t, "stock", level{"lapis", 0})
	papyrusToo.ExpectPush(t, "stock", level{"papyrus", 1})

	// A client that joined only papyrus gets only the changes of papyrus.
	papyrus.ExpectPush(t, "stock", level{"papyrus", 1})
	papyrus.ExpectNoPush(t)
	papyrus.Push(t, "restock", nil).ExpectOK(t)
	papyrusToo.ExpectPush(t, "stock", level{"papyrus", 2})
}
