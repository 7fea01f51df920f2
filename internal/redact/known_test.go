package redact

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

func TestKnown(t *testing.T) {
	for _, token := range []string{"hush-hush", "a\"b\\c\nd", "t\u00f6k en+/=", "header.cGF5bG9hZC1vZi10aGUtdG9rZW4.signature", "\xff\x00\x1b[31m", "<a&b>"} {
		for _, text := range []string{
			token, fmt.Sprintf("%q", token), fmt.Sprintf("%+q", token), fmt.Sprintf("%x", token), fmt.Sprintf("%X", token),
			fmt.Sprintf("%v", []byte(token)), fmt.Sprintf("%#v", struct{ A string }{token}), url.QueryEscape(token), url.PathEscape(token),
			base64.StdEncoding.EncodeToString([]byte(token)), base64.URLEncoding.EncodeToString([]byte(token)),
		} {
			got := Known("before "+text+" behind", &token, nil)
			if strings.Contains(got, strings.Trim(text, `"[]`)) || !strings.Contains(got, Mask) || !strings.HasPrefix(got, "before ") || !strings.HasSuffix(got, " behind") {
				t.Errorf("%q in %q: %q", token, text, got)
			}
		}
	}
	jwt, short := "header.cGF5bG9hZC1vZi10aGUtdG9rZW4.signature", "abc"
	if got := Known("bad part cGF5bG9hZC1vZi10aGUtdG9rZW4", &jwt, nil); got != "bad part "+Mask {
		t.Errorf("a part: %q", got)
	}
	params := map[string]any{"user_token": "sesame", "name": "alice", "list": []any{"x"}}
	if got := Known("abc alice sesame", &short, params); got != "abc alice "+Mask {
		t.Errorf("parameters: %q", got)
	}
	if got := Known("nothing", nil, nil); got != "nothing" {
		t.Errorf("without a token: %q", got)
	}
}

func TestKnownPanic(t *testing.T) {
	token := "hush-hush"
	type inner struct{ Text string }
	for _, value := range []any{token, errors.New("bad " + token), inner{token}, &inner{token}, map[string]*inner{"a": {token}}, []byte("bad " + token)} {
		if got := fmt.Sprintf("%+v", KnownPanic(value, &token, nil)); strings.Contains(got, token) {
			t.Errorf("%T: %s", value, got)
		}
	}
	for _, value := range []any{nil, 7, "boom"} {
		if got := KnownPanic(value, &token, nil); got != value {
			t.Errorf("%v became %v", value, got)
		}
	}
}
