package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// How much a directory of stores may hold: a file of it, and all of them, in bytes;
// and how many entries. An instance takes about 1 KiB.
const (
	maxStoreFile  = 1 << 20
	maxStoreFiles = 20_000
	maxStoresDir  = 64 << 20
)

// storesDir adds what the files of stores_dir hold, in the order of their names.
func (l *loader) storesDir(c *Config) {
	if c.StoresDir == "" || l.faulted["stores_dir"] {
		return
	}
	dir, shown := under(l.dir, c.StoresDir), under(filepath.Dir(l.report.file), c.StoresDir)
	names, err := storeFiles(dir)
	if err != nil {
		l.fault("stores_dir", "%s %s", dir, err)
		return
	}
	faults, size := 0, 0
	for _, name := range names {
		r := newReport(filepath.Join(shown, name))
		l.further = append(l.further, r)
		size += l.storeFile(c, r, filepath.Join(dir, name))
		if faults += len(r.faults); faults >= maxFaults {
			return
		}
		if size > maxStoresDir {
			l.fault("stores_dir", "%s holds more than %d MiB: is it the right directory?", dir, maxStoresDir>>20)
			return
		}
	}
}

// storeFiles returns the names of the files that stand for stores. Hidden files, and
// the copies that editors leave behind, stand for nothing. The error goes behind the
// name of the directory.
func storeFiles(dir string) ([]string, error) {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		return nil, errors.New("is not a directory")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", withoutPath(err))
	}
	f, err := os.Open(dir) //nolint:gosec // The configuration names it.
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", withoutPath(err))
	}
	defer f.Close() //nolint:errcheck // Nothing was written.
	names, err := f.Readdirnames(maxStoreFiles + 1)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, fmt.Errorf("cannot be read: %w", withoutPath(err))
	case len(names) > maxStoreFiles:
		return nil, fmt.Errorf("holds more than %d files: is it the right directory?", maxStoreFiles)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name[0] == '.' || strings.HasSuffix(name, "~") })
	slices.Sort(names)
	for _, name := range names {
		if oneLine(name) != nil {
			return nil, errors.New("holds a file with a name that cannot be printed: rename it")
		}
	}
	return names, nil
}

// storeFile adds what the file at path holds, and returns how much that is, in bytes.
func (l *loader) storeFile(c *Config, r *report, path string) int {
	add := l.yamlStore
	switch filepath.Ext(path) {
	case ".yaml", ".yml":
	case ".json":
		add = l.instance
	default:
		r.add(0, "", "must end in .yaml, .yml or .json, and be a file: stores_dir holds stores only, one file each")
		return 0
	}
	data, err := readRegular(path, maxStoreFile)
	if err != nil {
		message := err.Error()
		if inPath := withoutPath(err); !errors.Is(inPath, err) {
			message = "cannot be read: " + inPath.Error()
		}
		r.add(0, "", message)
		return 0
	}
	add(c, r, data)
	return len(data)
}

// yamlStore adds the store that a file in YAML holds. The paths of its secrets are
// taken from the file's directory.
func (l *loader) yamlStore(c *Config, r *report, data []byte) {
	root, ok := r.parse(data, storeFile)
	if !ok {
		return
	}
	var s Store
	s.setDefaults()
	l.decoder(r, under(l.dir, c.StoresDir)).decode("", root, reflect.ValueOf(&s).Elem())
	c.Stores = append(c.Stores, s)
	l.stores = append(l.stores, place{r, ""})
}

// require reports what no configuration can do without, unless it may be in what
// could not be read.
func (l *loader) require(c *Config) {
	if l.faulted["stores_dir"] || faultsOf(l.further...) != nil {
		return
	}
	where := ""
	if c.StoresDir != "" {
		where = ": stores_dir holds none"
	}
	if len(c.Stores) == 0 {
		l.fault("stores", "at least one store is required, with its id and order_secret%s", where)
	}
	switch {
	case len(c.Callbacks) > 0:
	case !l.given("callbacks"):
		l.fault("callbacks", "at least one callback is required, with its url%s; or callbacks: [] where consumers only pull events from the API", where)
	case c.Admin.Listen == "":
		l.fault("callbacks", "holds none, and admin.listen is off: nobody could get an event")
	}
}

// shareCallbacks gives the stores that name no callback all that belong to no
// instance: those of instances are for their own stores alone.
func (l *loader) shareCallbacks(c *Config) {
	var shared []string
	for i, p := range l.callbacks {
		if p.report == l.report {
			shared = append(shared, c.Callbacks[i].Name)
		}
	}
	if len(shared) == len(c.Callbacks) {
		return
	}
	for i, p := range l.stores {
		if len(c.Stores[i].Callbacks) > 0 {
			continue
		}
		c.Stores[i].Callbacks = slices.Clone(shared)
		if len(shared) == 0 {
			p.fault(join(p.path, "callbacks"), "required: all callbacks are those of instances, which get the events of no other store unless it names them")
		}
	}
}
