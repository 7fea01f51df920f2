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

// seat is the meta of one client. Others see it, with the user's name as the key.
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

// arrived is the message that the channel gets when its join is complete. Nothing can be
// pushed before.
type arrived struct{}

// arrive pushes the list of users to the client and adds the client to it. Everybody in
// the room gets that change. Nothing needs to be undone later: the entry is removed when
// its channel ends.
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

// status changes the status that others see. Each update is sent to everybody in the
// room, so a status that is the same is not sent.
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

// who returns the seats of one user. It does not depend on the size of the room.
func (r *room) who(_ context.Context, in person) ([]seat, error) {
	seats := []seat{}
	for _, m := range r.here.GetByKey(r.Topic(), in.User) {
		seats = append(seats, m.Meta)
	}
	slices.SortFunc(seats, func(a, b seat) int { return strings.Compare(a.Device, b.Device) })
	return seats, nil
}
