package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestPriceIsTheNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // in its bubble seconds pass at once
		endpoint := start(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			quote(ctx, endpoint.Endpoint, time.Second)
		}()
		time.Sleep(3500 * time.Millisecond)
		cancel()
		<-done

		client := endpoint.Connect(t, nil)
		ann := client.Join(t, "price:lapis", fresh)
		ann.ExpectResumed(t, "new")
		ann.ExpectPush(t, "price", price{102})
		ann.ExpectNoPush(t)

		// Who was cut and has missed none gets none.
		client.Cut(t)
		ann = ann.Rejoin(t)
		ann.ExpectResumed(t, "recovered")
		ann.ExpectNoPush(t)

		// Who has missed several gets the newest.
		client.Cut(t)
		for cents := range 3 {
			if err := endpoint.Broadcast("price:lapis", "price", price{cents}); err != nil {
				t.Fatal(err)
			}
		}
		ann = ann.Rejoin(t)
		ann.ExpectResumed(t, "lost")
		ann.ExpectPush(t, "price", price{2})
		ann.ExpectNoPush(t)
	})
}
