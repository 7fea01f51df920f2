package transporttest

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

var racing = []check{
	{
		name: "race/everything at once",
		law:  "both sides may send, close, cut and stall at any moment",
		body: race,
	},
}

func race(s *suite) {
	s.start(setup{link: transport.LinkOptions{MaxQueueMessages: 100, WriteTimeout: time.Second}})
	ctx, cancel := context.WithTimeout(context.Background(), s.patience())
	defer cancel()
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			for range sized(20) {
				c, err := s.dial(Target{})
				if _, refused := errors.AsType[*Refused](err); refused {
					continue // it was closed while it was opened
				}
				if err != nil {
					s.Errorf("a client cannot connect: %v", err)
					return
				}
				select {
				case p := <-s.peers: // of whichever client
					s.raceOne(c, p)
				case <-ctx.Done():
					s.Errorf("a client has connected, and no connection was opened")
					return
				}
			}
		})
	}
	all.Wait()
}

// raceOne sends, closes and cuts from both sides of a connection.
func (s *suite) raceOne(c *client, p *peer) {
	var sides sync.WaitGroup
	sides.Go(func() {
		for i := range rand.IntN(20) {
			if c.Send(wire.Text, []byte(numbered(i))) != nil {
				break
			}
		}
		if rand.IntN(2) == 0 {
			c.Close()
		} else {
			c.Cut()
		}
	})
	sides.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		for {
			if s.Stalls && rand.IntN(10) == 0 {
				c.Stall(true)
				time.Sleep(time.Millisecond)
				c.Stall(false)
			}
			if _, _, err := c.Receive(ctx); err != nil {
				return
			}
		}
	})
	sides.Go(func() {
		for i := range rand.IntN(20) {
			p.send(wire.Text, []byte(numbered(i)))
		}
		if rand.IntN(2) == 0 {
			p.close(4001)
		}
	})
	sides.Wait()
}
