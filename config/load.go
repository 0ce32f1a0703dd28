package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// maxFile is the most that a configuration file may hold, in bytes: 10,000 stores
// take about 2 MiB.
const maxFile = 8 << 20

// SearchPath returns where the configuration is looked for when no path is given.
func SearchPath() []string {
	return []string{"config.yaml", "/etc/ecwid-events/config.yaml"}
}

// Find returns the path of the configuration file: the explicit one unless it is
// empty, else the first of search that exists. It returns false when none exists,
// and an error when the explicit one does not, or when one is there and cannot be
// looked at.
func Find(explicit string, search []string) (path string, found bool, err error) {
	if explicit != "" {
		search = []string{explicit}
	}
	for _, path := range search {
		_, err := os.Stat(path)
		switch {
		case err == nil:
			return path, true, nil
		case explicit != "" || !errors.Is(err, fs.ErrNotExist):
			return "", false, fmt.Errorf("%s: %w", path, withoutPath(err))
		}
	}
	return "", false, nil
}

// Load reads the configuration from a file, and from those of its stores_dir. env looks up ${NAME}, and
// $STATE_DIRECTORY for Storage.Path. Its error is a Faults.
func Load(path string, env func(string) (string, bool), checks Checks) (*Config, error) {
	return LoadExtent(Whole, path, env, checks)
}

// LoadExtent is Load for whoever needs less than the whole.
func LoadExtent(extent Extent, path string, env func(string) (string, bool), checks Checks) (*Config, error) {
	r := newReport(path)
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		r.add(0, "", "cannot tell its directory: "+err.Error())
		return nil, faultsOf(r)
	}
	data, err := readFile(path)
	if err != nil {
		r.add(0, "", err.Error())
		return nil, faultsOf(r)
	}
	l := loader{report: r, dir: dir, env: env, substitute: true, checks: checks, unsupported: unsupported, extent: extent}
	return l.file(data)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // The person who starts the program names it.
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", withoutPath(err))
	}
	defer f.Close() //nolint:errcheck // Nothing was written.
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, errors.New("is a directory, not a file (Docker makes one where the file to be mounted is missing)")
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", withoutPath(err))
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("holds more than %d MiB", maxFile>>20)
	}
	return data, nil
}

// withoutPath takes the path out of an error that is shown behind the path.
func withoutPath(err error) error {
	if inPath, ok := errors.AsType[*fs.PathError](err); ok {
		return inPath.Err
	}
	return err
}

// A loader turns YAML nodes into a valid Config.
type loader struct {
	*report
	dir         string
	env         func(string) (string, bool)
	substitute  bool // replace ${NAME}
	checks      Checks
	unsupported map[string][]string
	extent      Extent

	keys map[reflect.Type]map[string]field
	// further holds the reports of the files of stores_dir.
	further []*report
	// stores and callbacks hold where those of the Config were given.
	stores, callbacks []place
}

func (l *loader) file(data []byte) (*Config, error) {
	root, ok := l.parse(data, wholeFile)
	if !ok {
		return nil, l.err()
	}
	return l.load(root)
}

// err returns the faults of all files, or nil.
func (l *loader) err() error { return faultsOf(append([]*report{l.report}, l.further...)...) }

// decoder returns what decodes a file in dir.
func (l *loader) decoder(r *report, dir string) *decoder {
	if l.keys == nil {
		l.keys = map[reflect.Type]map[string]field{}
	}
	r.lenient = l.extent != Whole
	d := &decoder{report: r, dir: dir, keys: l.keys}
	if l.substitute {
		d.env = l.env
	}
	return d
}

// load decodes, completes and validates. Each goes on after the faults of the one
// before, so that all are told at once.
func (l *loader) load(root *yaml.Node) (*Config, error) {
	c := new(Config)
	c.setDefaults()
	if l.extent == StorageOnly {
		root = storagePart(root)
	}
	l.decoder(l.report, l.dir).decode("", root, reflect.ValueOf(c).Elem())
	l.refuse(l.unsupported, "", "", reflect.ValueOf(c).Elem())
	if l.extent == StorageOnly {
		return l.finish(c)
	}
	l.nameOnly(c)
	for i := range c.Stores {
		l.stores = append(l.stores, place{l.report, fmt.Sprintf("stores[%d]", i)})
	}
	for i := range c.Callbacks {
		l.callbacks = append(l.callbacks, place{l.report, fmt.Sprintf("callbacks[%d]", i)})
	}
	l.storesDir(c)
	l.require(c)
	l.shareCallbacks(c)
	return l.finish(c)
}

// finish completes and validates.
func (l *loader) finish(c *Config) (*Config, error) {
	l.complete(c)
	v := validator{report: l.report, checks: l.checks}
	v.validate(c, l.stores, l.callbacks)
	if err := l.err(); err != nil {
		return nil, err
	}
	for _, r := range append([]*report{l.report}, l.further...) {
		c.Unread = append(c.Unread, r.unread.inOrder()...)
	}
	return c, nil
}

// nameOnly names the only callback of the file.
func (l *loader) nameOnly(c *Config) {
	if len(c.Callbacks) == 1 && c.Callbacks[0].Name == "" {
		c.Callbacks[0].Name = "default"
	}
}

// complete fills in what follows from other values.
func (l *loader) complete(c *Config) {
	for i := range c.Stores {
		s := &c.Stores[i]
		if s.Name == "" {
			s.Name = "store " + strconv.FormatInt(s.ID, 10)
		}
		if s.Schedule == "" {
			s.Schedule = c.Schedule
		}
		if s.API == APIAuto && !s.OrderSecret.IsZero() {
			s.API = apiOf(s.OrderSecret)
		}
	}
	for i := range c.Callbacks {
		tls := &c.Callbacks[i].TLS
		for _, file := range []*string{&tls.CAFile, &tls.CertFile, &tls.KeyFile} {
			*file = under(l.dir, *file)
		}
	}
	c.StoresDir = under(l.dir, c.StoresDir)
	if state, _ := l.env("STATE_DIRECTORY"); state != "" {
		// systemd separates several by colons.
		state, _, _ = strings.Cut(state, ":")
		c.Storage.Path = under(state, c.Storage.Path)
	}
	c.Storage.Path = under(l.dir, c.Storage.Path)
}

// apiOf tells the API by the form of the secret: tokens of REST v3 have a prefix.
func apiOf(secret Secret) string {
	text := secret.Reveal()
	if strings.HasPrefix(text, "secret_") || strings.HasPrefix(text, "public_") {
		return APIV3
	}
	return APILegacy
}

// under returns a relative path as one below dir. Empty stays empty.
func under(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// A wanted says in faults what a file should hold.
type wanted struct{ empty, keys string }

var (
	wholeFile = wanted{"it needs stores and callbacks, see config.example.yaml", "keys, such as stores: and callbacks:"}
	storeFile = wanted{"it needs a store's id and order_secret", "the keys of one store, such as id: and order_secret:"}
)

// parse returns the root of the one document that data holds.
func (r *report) parse(data []byte, want wanted) (*yaml.Node, bool) {
	if line, message := notText(data); message != "" {
		r.add(line, "", message)
		return nil, false
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, second yaml.Node
	err := decoder.Decode(&document)
	switch {
	case errors.Is(err, io.EOF), err == nil && isNull(document.Content[0]):
		r.add(0, "", "is empty: "+want.empty)
		return nil, false
	case err != nil:
		line, message := syntaxFault(err, data)
		r.add(line, "", message)
		return nil, false
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		r.add(second.Line, "", "holds a second document: remove the line --- and what follows it")
	}
	root := document.Content[0]
	if root.Kind != yaml.MappingNode {
		r.add(root.Line, "", "must hold "+want.keys+", at the start of lines")
		return nil, false
	}
	return root, true
}
