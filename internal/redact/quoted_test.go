package redact

import "testing"

// Errors made with %q have the value right behind its name.
func TestQuotedValueBehindItsName(t *testing.T) {
	for in, want := range map[string]string{
		`invalid token "abc def"`:            `invalid token "` + Mask + `"`,
		`invalid token 'abc': expired`:       `invalid token '` + Mask + `': expired`,
		`password  "x y" is too short`:       `password  "` + Mask + `" is too short`,
		`topic "token" is not joined`:        `topic "token" is not joined`,
		`wrong csrf_token "a\"b" from "bob"`: `wrong csrf_token "` + Mask + `" from "bob"`,
	} {
		if got := Text(in); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", in, got, want)
		}
	}
}
