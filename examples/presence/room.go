package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/presence"
)

// seat is the meta of one client: what others see of it beside the user's name.
type seat struct {
	Device string    `json:"device"`
	Status string    `json:"status"`
	Since  time.Time `json:"since"`
}

type person struct {
	User string `json:"user"`
}

// room is one client in one room.
type room struct {
	*bennu.Channel
	here *presence.Presence[seat]
	user string
	seat seat
}

func rooms(here *presence.Presence[seat]) bennu.ChannelHandler {
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, in arrival) (*room, bennu.Empty, error) {
		user, _ := ch.Socket().Assigned("user").(string)
		r := &room{ch, here, user, seat{in.Device, "here", time.Now().UTC().Truncate(time.Second)}}
		return r, bennu.Empty{}, ch.Send(arrived{})
	})
	bennu.OnInfo(d, (*room).arrive)
	bennu.On(d, "status", (*room).status)
	bennu.On(d, "who", (*room).who)
	return d
}

type arrival struct {
	Device string `json:"device"`
}

func (a arrival) Validate() error {
	if len(a.Device) > 64 {
		return bennu.Errorf("device must have at most 64 bytes")
	}
	return nil
}

// arrived tells the channel that its join is complete. Before that nothing can be pushed.
type arrived struct{}

// arrive sends the client the list of who is here, and adds the client to it, of which
// everybody is told. Nothing is to be undone at the end: an entry leaves with its channel.
func (r *room) arrive(context.Context, arrived) error {
	if err := r.here.PushState(r.Channel); err != nil {
		return err
	}
	_, err := r.here.Track(r.Channel, r.user, r.seat)
	return err
}

type status struct {
	Status string `json:"status"`
}

var statuses = []string{"here", "typing", "away"}

func (s status) Validate() error {
	if !slices.Contains(statuses, s.Status) {
		return bennu.Errorf("status must be one of %s", strings.Join(statuses, ", "))
	}
	return nil
}

// status tells everybody in the room what a client is doing. Each change goes to all, so
// one that changes nothing is not made.
func (r *room) status(_ context.Context, in status) (bennu.Empty, error) {
	if in.Status == r.seat.Status {
		return bennu.Empty{}, nil
	}
	next := r.seat
	next.Status = in.Status
	_, err := r.here.Update(r.Channel, r.user, next)
	if errors.Is(err, presence.ErrTooOften) {
		return bennu.Empty{}, bennu.Errorf("not so often")
	}
	if err == nil {
		r.seat = next
	}
	return bennu.Empty{}, err
}

// who answers for a single user, whatever the size of the room.
func (r *room) who(_ context.Context, in person) ([]seat, error) {
	seats := []seat{}
	for _, m := range r.here.GetByKey(r.Topic(), in.User) {
		seats = append(seats, m.Meta)
	}
	slices.SortFunc(seats, func(a, b seat) int { return strings.Compare(a.Device, b.Device) })
	return seats, nil
}
