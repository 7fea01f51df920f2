package transport

import (
	"slices"
	"strings"

	"github.com/bennu-go/bennu/internal/refused"
)

// subprotocolPhoenix is the subprotocol that clients offer together with a token. The server must
// choose it, because browsers drop a connection whose answer names none of their offers.
const subprotocolPhoenix = "phoenix"

// splitOffers returns the elements of the lines of Sec-WebSocket-Protocol.
func splitOffers(lines []string) []string {
	var offers []string
	for _, line := range lines {
		for offer := range strings.SplitSeq(line, ",") {
			if offer = strings.Trim(offer, " \t"); offer != "" {
				offers = append(offers, offer)
			}
		}
	}
	return offers
}

// chooseSubprotocol returns the first of the server's subprotocols that the client offers.
func chooseSubprotocol(configured, offers []string) (string, error) {
	for _, p := range configured {
		if slices.Contains(offers, p) {
			return p, nil
		}
	}
	return "", refused.ErrSubprotocol
}
