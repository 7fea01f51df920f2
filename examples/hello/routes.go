package hello

import (
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/presence"
)

// Routes adds the channels of this package to users. Each call makes an inventory of
// its own; here tracks the people in the rooms.
func Routes(users *bennu.SocketHandler, here *presence.Presence[Here]) {
	users.Channel("ping:*", pings())
	users.Channel("room:*", rooms(here))
	users.Channel("inventory:*", inventories(newStock()))
	users.Channel("fragile:*", fragiles(time.Second))
}
