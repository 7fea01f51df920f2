package redact

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	minKnown = 4  // bytes of a secret that is masked; shorter ones are in any text
	minPart  = 16 // bytes of a part of a secret between dots, as a JSON Web Token has them
)

// Known returns a text of the application's with secrets masked that it may quote: the token
// of a request, nil for none, and the parameters with sensitive names. They are found as they
// stand, and as Go, JSON, URLs, base64 and hexadecimal numbers write them.
func Known(text string, token *string, params map[string]any) string {
	var secrets []string
	if token != nil {
		secrets = spellings(secrets, *token)
	}
	for name, value := range params {
		if s, ok := value.(string); ok && Sensitive(name) {
			secrets = spellings(secrets, s)
		}
	}
	// The longest first: a secret that is a part of another must not be masked before it.
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	for _, s := range secrets {
		text = strings.ReplaceAll(text, s, Mask)
	}
	return text
}

// KnownPanic is Known for the value of a panic, which becomes text.
func KnownPanic(value any, token *string, params map[string]any) any {
	switch value.(type) {
	case nil, bool, int, float64:
		return value
	}
	return Known(Print(value), token, params)
}

// spellings appends the texts by which a secret may be quoted.
func spellings(list []string, secret string) []string {
	if len(secret) < minKnown {
		return list
	}
	quoted, ascii := strconv.Quote(secret), strconv.QuoteToASCII(secret)
	inJSON, _ := json.Marshal(secret) // of a string it never fails
	list = append(list, secret, quoted[1:len(quoted)-1], ascii[1:len(ascii)-1], string(inJSON[1:len(inJSON)-1]),
		url.QueryEscape(secret), url.PathEscape(secret),
		base64.RawStdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)),
		fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret),
		strings.Trim(fmt.Sprint([]byte(secret)), "[]"))
	for part := range strings.SplitSeq(secret, ".") {
		if len(part) >= minPart && len(part) < len(secret) {
			list = append(list, part)
		}
	}
	return list
}
