package redishistory

import (
	"crypto/sha1" //nolint:gosec // Redis names scripts by it
	_ "embed"
	"encoding/hex"
)

// The scripts. Redis runs one at a time, so each sees and changes a log at one moment.
var (
	//go:embed log.lua
	logText string
	//go:embed append.lua
	appendText string
	//go:embed read.lua
	readText string
	//go:embed heads.lua
	headsText string
	//go:embed rotate.lua
	rotateText string
	//go:embed probe.lua
	probeText string

	appendScript = newScript(appendText)
	readScript   = newScript(readText)
	headsScript  = newScript(headsText)
	rotateScript = newScript(rotateText)
	probeScript  = newScript(probeText)
)

// script is a script with its name in Redis, which is the SHA-1 of its text. Naming it saves sending the
// text, of about 10 KiB, with each call.
type script struct{ text, name string }

// newScript returns a script of the functions that all share, and a text.
func newScript(text string) *script {
	text = logText + text
	sum := sha1.Sum([]byte(text)) //nolint:gosec // as above
	return &script{text, hex.EncodeToString(sum[:])}
}
