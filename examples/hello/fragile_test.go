package hello

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/channeltest"
)

func TestCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := channeltest.Start(t, newEndpoint(t)).Connect(t, nil)
		a := client.Join(t, "fragile:a", nil)
		b := client.Join(t, "fragile:b", nil)
		time.Sleep(time.Second)
		a.ExpectPush(t, "beat", bennu.Raw(`{"n":1}`))
		b.ExpectPush(t, "beat", beats{1})

		a.Push(t, "crash", nil)
		reason := a.ExpectCrash(t)
		if p, ok := errors.AsType[*bennu.PanicError](reason); !ok || p.Value != "somebody pressed the button" {
			t.Errorf("crashed with %v", reason)
		}

		// The other channel counts on, and the new instance starts at 0.
		a = client.Join(t, "fragile:a", nil)
		time.Sleep(time.Second)
		a.ExpectPush(t, "beat", beats{1})
		b.ExpectPush(t, "beat", beats{2})
		a.ExpectNoPush(t)
		b.ExpectNoPush(t)
	})
}
