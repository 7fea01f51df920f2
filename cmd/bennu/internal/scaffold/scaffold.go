// Package scaffold is the commands "bennu new" and "bennu gen". They write programs, channels, sockets
// and presences to start from, with tests that pass.
package scaffold

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"go/format"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

const bennuPath = "github.com/bennu-go/bennu"

//go:embed templates
var templates embed.FS

// A file is a file to write.
type file struct {
	path string
	text []byte
}

// render executes the templates of a folder. rename gives the name of a file for that of its template.
func render(folder string, values any, rename func(name string) string) ([]file, error) {
	root := "templates/" + folder
	entries, err := fs.ReadDir(templates, root)
	if err != nil {
		return nil, err
	}
	var files []file
	for _, e := range entries {
		t, err := template.New(e.Name()).Option("missingkey=error").ParseFS(templates, root+"/"+e.Name())
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		if err := t.Execute(&b, values); err != nil {
			return nil, err
		}
		f := file{rename(strings.TrimSuffix(e.Name(), ".tmpl")), b.Bytes()}
		if strings.HasSuffix(f.path, ".go") {
			if f.text, err = format.Source(f.text); err != nil {
				return nil, fmt.Errorf("%s: %w", f.path, err)
			}
		}
		files = append(files, f)
	}
	return files, nil
}

// write writes all files. If one exists and force is false, it writes none.
func write(files []file, force bool) error {
	for _, f := range files {
		_, err := os.Lstat(f.path)
		switch {
		case err == nil && !force:
			return fmt.Errorf("%s exists, and nothing was written; --force overwrites it", f.path)
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	flag := os.O_TRUNC
	if !force {
		flag = os.O_EXCL // one may have come meanwhile
	}
	for _, f := range files {
		if err := os.MkdirAll(filepath.Dir(f.path), 0o777); err != nil {
			return err
		}
		if err := writeFile(f, os.O_WRONLY|os.O_CREATE|flag); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(f file, flag int) error {
	w, err := os.OpenFile(f.path, flag, 0o666)
	if err != nil {
		return err
	}
	_, err = w.Write(f.text)
	return errors.Join(err, w.Close())
}
