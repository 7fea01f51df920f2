package hello

import "embed"

// Source is the source code of the channels. The page of "bennu demo" shows each handler
// beside the frames that it sends.
//
//go:embed ping.go room.go inventory.go fragile.go
var Source embed.FS
