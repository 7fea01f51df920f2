package redact_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"

	"github.com/bennu-go/bennu/internal/redact"
)

func ExampleHandler() {
	noTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	log := slog.New(redact.NewHandler(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: noTime})))

	log.Info("connected", "uri", "/socket/websocket?vsn=2.0.0&token=hunter2", "user", "bob")
	log.Warn("refused", "headers", http.Header{"Cookie": {"a=b"}, "Host": {"example.com"}})
	log.Error("crashed", "error", errors.New("bad payload {\"password\":\"hunter2\"}\n\x1b[31mforged"))
	// Output:
	// {"level":"INFO","msg":"connected","uri":"/socket/websocket?vsn=2.0.0&token=[FILTERED]","user":"bob"}
	// {"level":"WARN","msg":"refused","headers":{"Cookie":"[FILTERED]","Host":["example.com"]}}
	// {"level":"ERROR","msg":"crashed","error":"bad payload {\"password\":\"[FILTERED]\"}\\n\\x1b[31mforged"}
}

func ExampleText() {
	fmt.Println(redact.Text("GET /longpoll?token=hunter2&vsn=2.0.0\nAuthorization: Bearer hunter2"))
	// Output: GET /longpoll?token=[FILTERED]&vsn=2.0.0\nAuthorization: [FILTERED]
}
