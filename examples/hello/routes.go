package hello

import (
	"time"

	"github.com/bennu-go/bennu"
)

// Routes adds the channels of this package to users. All clients of one users share
// one inventory.
func Routes(users *bennu.SocketHandler) {
	users.Channel("ping:*", pings())
	users.Channel("room:*", rooms())
	users.Channel("inventory:*", inventories(newStock()))
	users.Channel("fragile:*", fragiles(time.Second))
}
