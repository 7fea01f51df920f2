package token

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/cmd/bennu/internal/cli"
	"github.com/bennu-go/bennu/internal/waittest"
)

func TestMain(m *testing.M) {
	os.Unsetenv(secretEnv)
	waittest.Main(m)
}

// The token that Phoenix made with the secret of 64 times k, the salt "user auth" and the data 42.
const (
	signed42  = "SFMyNTY.g2gDYSpuBgAAaOXPiwFiAAFRgA.Rn3K52Xm55OI0TRjqy2gA8wTTACuNRO0LkboqSuWaeQ"
	crypted42 = "XCP.NulH4YmD6rJV-imrtoRPJvylSqu7g5rjBDRLmCaJ9QJ2KORcQLLYhQjKPMIbPmcDOm1xJuff5F5sO6g"
	long42    = "SFMyNTY.g2gDYSpuBgAAaOXPiwFiAAFRgA.34HKoPjQeI3N6Mj6Yj_ffV7snegQT7zITSJ04a_Impg"
	bob       = "SFMyNTY.g2gDdAAAAAJkAAJpZGEBZAAEbmFtZW0AAAADYm9ibgYAAGjlz4sBYgABUYA.pf0pDcWw9tshPtBF7__Cj0n4eFuOhPeYExygQ-VkKis"
)

var (
	secret = strings.Repeat("k", 64)
	other  = strings.Repeat("o", 64)
)

// try runs "bennu token" with standard input, and the secret in the environment.
func try(t *testing.T, env, stdin string, args ...string) (out, errOut string, code int) {
	t.Helper()
	t.Setenv(secretEnv, env)
	var stdout, stderr strings.Builder
	root := cli.Root(strings.NewReader(stdin), &stdout, &stderr, Command())
	code = cli.Run(context.Background(), root, append([]string{"token"}, args...))
	for _, s := range []string{secret, other} {
		if strings.Contains(stdout.String()+stderr.String(), s) {
			t.Errorf("%q shows a secret: %q, %q", args, stdout.String(), stderr.String())
		}
	}
	return stdout.String(), stderr.String(), code
}

func write(t *testing.T, text string) (name string) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// One secret and one salt, with the commands as users type them.
func TestToken(t *testing.T) {
	secretFile, otherFile := write(t, secret+"\n"), write(t, other)
	salt := []string{"--salt", "user auth"}
	tests := []struct {
		name  string
		env   string
		stdin string
		args  []string
		code  int
		out   string // in standard output
		err   string // in standard error
	}{
		{"sign", secret, "", []string{"sign", "--signed-at", "2023-11-14T22:13:20Z", "42"}, 0, signed42 + "\n", ""},
		{"sign input", secret, "42\n", []string{"sign", "--signed-at", "2023-11-14T22:13:20Z"}, 0, signed42 + "\n", ""},
		{"sign a dash", secret, "42\n", []string{"sign", "--signed-at", "2023-11-14T22:13:20Z", "-"}, 0, signed42 + "\n", ""},
		{"sign by a file", "", "42", []string{"sign", "--secret-file", secretFile, "--secret-file", otherFile, "--signed-at", "2023-11-14T22:13:20Z"}, 0, signed42 + "\n", ""},
		{"sign with another key", secret, "42", []string{"sign", "--key-digest", "sha512", "--key-iterations", "2000", "--key-length", "64", "--signed-at", "2023-11-14T22:13:20Z"}, 0, long42 + "\n", ""},
		{"sign, as JSON", secret, `{"id":[1,2.5,"x",null,true]}`, []string{"sign", "--json", "--signed-at", "2023-11-14T22:13:20Z", "--max-age", "90s"}, 0, `,"data":{"id":[1,2.5,"x",null,true]},"signed_at":"2023-11-14T22:13:20Z","expires_at":"2023-11-14T22:14:50Z"}`, ""},
		{"sign no JSON", secret, "ani", []string{"sign"}, 2, "", "the data is not JSON, in which a text has quotes"},
		{"sign two values", secret, "1 2", []string{"sign"}, 2, "", "there is text after the value"},
		{"sign a number too large", secret, "1e999", []string{"sign"}, 2, "", "the number 1e999 is too large"},
		{"sign too much", secret, `"` + strings.Repeat("x", 70<<10) + `"`, []string{"sign"}, 1, "", "the input has more than 65536 bytes"},
		{"sign with fractions", secret, "1", []string{"sign", "--max-age", "1500ms"}, 1, "", "max age 1.5s is not in whole seconds"},
		{"sign with no age", secret, "1", []string{"sign", "--max-age", "ever"}, 2, "", `--max-age is a time such as 90s, 24h or infinity, not "ever"`},
		{"sign at no time", secret, "1", []string{"sign", "--signed-at", "now"}, 2, "", `--signed-at is a time such as 2026-01-31T12:00:00Z, not "now"`},
		{"sign without a secret", "", "1", []string{"sign"}, 2, "", "there is no secret; set SECRET_KEY_BASE, or name a file with --secret-file"},
		{"sign by a short secret", "short", "1", []string{"sign"}, 2, "", "secret 1 has 5 bytes; use at least 20"},
		{"sign by no file", "", "1", []string{"sign", "--secret-file", filepath.Join(t.TempDir(), "none")}, 1, "", "a secret: open "},
		{"sign with a digest unknown", secret, "1", []string{"sign", "--key-digest", "md5"}, 2, "", `--key-digest is sha256, sha384 or sha512, not "md5"`},
		{"sign with too many rounds", secret, "1", []string{"sign", "--key-iterations", "2000000000000"}, 2, "", "--key-iterations is at most 10000000, not 2000000000000"},
		{"sign with a short key", secret, "1", []string{"sign", "--key-length", "-1"}, 2, "", "--key-length is 16 to 1024, not -1"},
		{"sign with no key", secret, "1", []string{"sign", "--key-length", "0"}, 2, "", "--key-length is 16 to 1024, not 0"},
		{"sign for no time", secret, "1", []string{"sign", "--max-age", "0"}, 2, "", "--max-age is above 0, such as 90s, not 0"},
		{"sign for a negative time", secret, "1", []string{"sign", "--max-age", "-5s"}, 2, "", "--max-age is above 0, such as 90s, not -5s"},
		{"sign nothing", secret, "", []string{"sign"}, 2, "", "there is no data; it is JSON, such as 42"},
		{"sign blanks", secret, " \n", []string{"sign", "--salt", "s"}, 2, "", "there is no data; it is JSON, such as 42"},
		{"sign with no rounds", secret, "1", []string{"sign", "--key-iterations", "0"}, 2, "", "--key-iterations is 1 or more, not 0"},
		{"sign with short keys", secret, "1", []string{"sign", "--key-length", "8"}, 2, "", "the key length is 8; use 16 to 1024"},
		{"encrypt with long keys", secret, "1", []string{"sign", "--encrypt", "--key-length", "64"}, 1, "", "encrypted tokens need keys of 32 bytes"},

		{"verify", secret, signed42, []string{"verify", "--max-age", "infinity"}, 0, "The token is valid.\n  data        42\n  signed at   2023-11-14T22:13:20Z (", ""},
		{"verify a file", secret, "", []string{"verify", "--max-age", "infinity", write(t, signed42+"\r\n")}, 0, "  data        42\n", ""},
		{"verify encrypted", secret, crypted42, []string{"verify", "--max-age", "infinity"}, 0, "  data        42\n", ""},
		{"verify by an old secret", "", signed42, []string{"verify", "--max-age", "infinity", "--secret-file", otherFile, "--secret-file", secretFile}, 0, "  data        42\n", ""},
		{"verify expired", secret, signed42, []string{"verify"}, 1, "", "The token is expired: it was signed at 2023-11-14T22:13:20Z ("},
		{"verify expired, as JSON", secret, signed42, []string{"verify", "--json"}, 1, `{"valid":false,"reason":"expired","signed_at":"2023-11-14T22:13:20Z"}` + "\n", ""},
		{"verify expired and encrypted", secret, crypted42, []string{"verify", "--max-age", "1s"}, 1, "", "The token is expired"},
		{"verify by another secret", other, signed42, []string{"verify"}, 1, "", "The token is invalid.\n"},
		{"verify by another secret, as JSON", other, signed42, []string{"verify", "--json"}, 1, `{"valid":false,"reason":"invalid"}` + "\n", ""},
		{"verify for another key", secret, long42, []string{"verify", "--max-age", "infinity"}, 1, "", "The token is invalid.\n"},
		{"verify nothing", secret, "\n", []string{"verify"}, 1, "", "The token is missing.\n"},
		{"verify what is too long", secret, strings.Repeat("x", 70<<10), []string{"verify"}, 1, "", "the input has more than 65536 bytes"},
		{"verify an argument", secret, "", []string{"verify", signed42}, 2, "", "a token in an argument can be seen"},
		{"verify an encrypted argument", secret, "", []string{"verify", crypted42}, 2, "", "a token in an argument can be seen"},
		{"verify no file", secret, "", []string{"verify", filepath.Join(t.TempDir(), "none")}, 1, "", "no such file"},

		{"inspect", secret, signed42, []string{"inspect"}, 1, "It does NOT verify: the secret made this token for this salt, but it is expired.\n  kind        signed with HMAC-SHA256\n  data        42\n", ""},
		{"inspect by another secret", other, bob, []string{"inspect"}, 1, "It does NOT verify with this secret and this salt. NOT VERIFIED: anybody can have written this.\n  kind        signed with HMAC-SHA256\n  data        %{id: 1, name: \"bob\"}\n", ""},
		{"inspect by another secret, as JSON", other, bob, []string{"inspect", "--json"}, 1, `{"kind":"signed with HMAC-SHA256","valid":false,"reason":"invalid","note":"NOT VERIFIED: anybody can have written this","data":{"id":1,"name":"bob"},"signed_at":"2023-11-14T22:13:20Z","expires_at":"2023-11-15T22:13:20Z"}`, ""},
		{"inspect encrypted and expired", secret, crypted42, []string{"inspect"}, 1, "but it is expired.\n  kind        encrypted with XChaCha20-Poly1305\n  data        42\n  signed at   2023", ""},
		{"inspect encrypted by another secret", other, crypted42, []string{"inspect"}, 1, "It does NOT verify with this secret and this salt. NOT VERIFIED: anybody can have written this.\n  kind        encrypted with XChaCha20-Poly1305\n", ""},
		{"inspect without a secret", "", signed42, []string{"inspect"}, 2, "", "there is no secret"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, err, code := try(t, tt.env, tt.stdin, append(tt.args, salt...)...)
			expect(t, out, err, code, tt.out, tt.err, tt.code)
		})
	}
}

func expect(t *testing.T, out, errOut string, code int, wantOut, wantErr string, wantCode int) {
	t.Helper()
	if code != wantCode {
		t.Errorf("exit code %d, want %d", code, wantCode)
	}
	for _, stream := range []struct{ name, got, want string }{{"stdout", out, wantOut}, {"stderr", errOut, wantErr}} {
		if !strings.Contains(stream.got, stream.want) || (stream.want == "") != (stream.got == "") {
			t.Errorf("%s: got %q, want %q in it", stream.name, stream.got, stream.want)
		}
	}
}

// Without a salt the content of the token is shown, and nothing says that it is valid.
func TestInspectAlone(t *testing.T) {
	tests := []struct {
		name  string
		stdin string
		args  []string
		code  int
		out   string
		err   string
	}{
		{"signed", signed42, nil, 0, "NOT VERIFIED: anybody can have written this.\n  kind        signed with HMAC-SHA256\n  data        42\n  signed at   2023-11-14T22:13:20Z (", ""},
		{"as JSON", signed42, []string{"--json"}, 0, `{"kind":"signed with HMAC-SHA256","note":"NOT VERIFIED: anybody can have written this","data":42,"signed_at":"2023-11-14T22:13:20Z","expires_at":"2023-11-15T22:13:20Z"}`, ""},
		{"forged", signed42[:len(signed42)-3] + "AAA", nil, 0, "NOT VERIFIED", ""},
		{"encrypted", crypted42, nil, 0, "The token is encrypted with XChaCha20-Poly1305: what it holds can only be shown with --salt and the secret.\n", ""},
		{"no token", "hello", nil, 1, "This is no token of Phoenix (a signed token has three parts with dots between).\n", ""},
		{"no token, as JSON", "hello", []string{"--json"}, 1, `"reason":"invalid","detail":"a signed token has three parts`, ""},
		{"nothing", "", nil, 1, "This is no token of Phoenix.\n", ""},
		{"a secret for nothing", signed42, []string{"--secret-file", write(t, secret)}, 2, "", "--secret-file needs --salt"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, err, code := try(t, secret, tt.stdin, append([]string{"inspect"}, tt.args...)...)
			expect(t, out, err, code, tt.out, tt.err, tt.code)
		})
	}
}

// A signal ends a command that waits for somebody to type.
func TestStopped(t *testing.T) {
	for _, command := range []string{"sign", "verify", "inspect"} {
		t.Setenv(secretEnv, secret)
		in, typed := io.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var stdout, stderr strings.Builder
		code := cli.Run(ctx, cli.Root(in, &stdout, &stderr, Command()), []string{"token", command, "--salt", "s"})
		typed.Close() // ends the read
		if code != cli.Failed || stdout.Len() > 0 || !strings.Contains(stderr.String(), "stopped before the end of standard input") {
			t.Errorf("%s: exit code %d after printing %q and %q", command, code, stdout.String(), stderr.String())
		}
	}
}

// A token of either kind that is signed now is valid now, and has the same data.
func TestSignedIsGood(t *testing.T) {
	const data = `{"list":[1,"two",3.5],"big":123456789012345678901234567890,"text":"é \u0007","none":null}`
	for name, flags := range map[string][]string{"signed": nil, "encrypted": {"--encrypt"}, "atoms": {"--atom-keys"}, "for ever": {"--max-age", "infinity"}} {
		t.Run(name, func(t *testing.T) {
			tok, _, code := try(t, secret, data, append([]string{"sign", "--salt", "s"}, flags...)...)
			if code != cli.OK {
				t.Fatalf("exit code %d", code)
			}
			for _, command := range []string{"verify", "inspect"} {
				out, _, code := try(t, secret, tok, command, "--salt", "s", "--json")
				var got struct {
					Valid bool
					Data  any
				}
				if err := json.Unmarshal([]byte(out), &got); err != nil || code != cli.OK || !got.Valid {
					t.Errorf("%s: exit code %d, %q, %v", command, code, out, err)
				}
				var want any
				if err := json.Unmarshal([]byte(data), &want); err != nil {
					t.Fatal(err)
				}
				if w, g := toJSON(want), toJSON(got.Data); string(w) != string(g) {
					t.Errorf("%s: got %s, want %s", command, g, w)
				}
				people, _, _ := try(t, secret, tok, command, "--salt", "s")
				if strings.Contains(people, "NOT") || !strings.Contains(people, `"é \a"`) {
					t.Errorf("%s: %s", command, people)
				}
				if asAtoms := strings.Contains(people, " list: ["); asAtoms != (name == "atoms") {
					t.Errorf("%s: %s", command, people)
				}
			}
			if _, _, code := try(t, secret, tok, "verify", "--salt", "another"); code != cli.Failed {
				t.Errorf("for another salt: exit code %d", code)
			}
		})
	}
}
