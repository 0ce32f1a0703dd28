package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"gopkg.in/yaml.v3"
)

// maxSecretFile is far above any secret, and below what a wrong path may hold.
const maxSecretFile = 64 << 10

// secretFile decodes the key x_file, which is at twin, into the secret, or the
// list of secrets, that x at path would give.
func (d *decoder) secretFile(path, twin string, n *yaml.Node, out reflect.Value) {
	var files []Secret // in the wrong place one may be written instead of a path
	if n = target(n); out.Kind() == reflect.Slice && n.Kind == yaml.SequenceNode {
		d.decode(twin, n, reflect.ValueOf(&files).Elem())
	} else {
		var file Secret
		d.decode(twin, n, reflect.ValueOf(&file).Elem())
		if !file.IsZero() {
			files = []Secret{file}
		}
	}
	if len(files) == 0 || d.faulted[twin] {
		d.faulted[path] = d.faulted[path] || d.faulted[twin]
		return
	}
	if !out.IsZero() {
		d.fault(path, "is set, and so is %s: keep one of them", d.name(twin))
		return
	}
	var secrets []Secret
	for i, file := range files {
		at := itemPath(twin, i, len(files))
		d.twin[itemPath(path, i, len(files))] = at
		secret, err := d.readSecret(file.Reveal())
		if err != nil {
			d.miss(d.lenient, at, "%s", err)
			d.faulted[path] = true
		}
		if !d.unreadAt(path) {
			secrets = append(secrets, secret)
		}
	}
	if len(secrets) == 0 {
		return
	}
	if out.Kind() == reflect.Slice {
		out.Set(reflect.ValueOf(secrets))
	} else {
		out.Set(reflect.ValueOf(secrets[0]))
	}
}

// itemPath is the path of an item of a list that may be a lone value as well.
func itemPath(path string, i, length int) string {
	if length == 1 {
		return path
	}
	return fmt.Sprintf("%s[%d]", path, i)
}

// readSecret returns what the file holds, without line breaks at its end. Only a
// regular file is read: opening another kind may wait for ever. The error does not tell
// a relative path, since it may be the secret itself, written in the wrong place.
func (d *decoder) readSecret(path string) (Secret, error) {
	file := path
	if !filepath.IsAbs(path) {
		file = "that file in " + d.dir
		path = filepath.Join(d.dir, path)
	}
	data, err := readRegular(path, maxSecretFile)
	inPath, ok := errors.AsType[*fs.PathError](err)
	switch {
	case ok:
		return Secret{}, fmt.Errorf("cannot read %s: %w", file, inPath.Err)
	case err != nil:
		return Secret{}, fmt.Errorf("%s %w", file, err)
	}
	text := strings.TrimRight(string(data), "\r\n")
	if text == "" {
		return Secret{}, errors.New(file + " is empty")
	}
	if err := oneLine(text); err != nil {
		return Secret{}, fmt.Errorf("%s %w", file, err)
	}
	return NewSecret(text), nil
}

// readRegular returns the content of a regular file of at most limit bytes.
func readRegular(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a regular file")
	}
	f, err := os.Open(path) //nolint:gosec // The configuration names it.
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // Nothing was written.
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("holds more than %d KiB: is it the right file?", limit>>10)
	}
	return data, err
}
