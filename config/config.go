// Package config reads the configuration: one YAML file, or a few environment
// variables where there is none.
//
// Reading is strict. A key that is unknown, given twice or of the wrong type, a
// value out of range and a feature that is not there are faults; nothing is
// accepted and ignored. All faults are told at once, each in one line that names
// the file, the line and the key, and says what to do.
//
// A directory may hold further stores, one file each: see StoresDir in Config. Such a
// file has the keys of a store, or is an instance of SAP Open Connectors in JSON,
// which is translated into a store and a callback.
//
// A value that is exactly ${NAME} is taken from the environment. Every secret x
// has a twin x_file, which names a file that holds it. Secrets, and the parts of
// URLs that may be secret, print as <secret>; only Reveal tells them.
//
// The struct tags are the table that decoding works from: yaml is the key, oneof
// lists the words that a key may hold, and range its least and greatest value.
// Rules that hold between keys are in validate.go.
package config

import (
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// The words of Store.API. Load replaces APIAuto by one of the others.
const (
	APIAuto   = "auto"
	APIV3     = "v3"
	APILegacy = "legacy"
)

// ReconcileOff is the value of Store.Reconcile that disables it.
const ReconcileOff = "off"

// The words of Callback.Format.
const (
	FormatStandard       = "standard"
	FormatOpenConnectors = "openconnectors"
	FormatEcwid          = "ecwid"
	FormatCloudEvents    = "cloudevents"
)

// The words of Callback.Payload.
const (
	PayloadFull = "full"
	PayloadThin = "thin"
)

// The words of Callback.Ordering.
const (
	OrderingObject   = "object"
	OrderingCallback = "callback"
	OrderingNone     = "none"
)

// The words of Storage.Driver.
const (
	DriverBolt     = "bolt"
	DriverPostgres = "postgres"
)

// A Config is the whole configuration. What Load and FromEnv return is complete
// and valid: defaults are filled in, secrets are read and paths are absolute.
type Config struct {
	// Schedule is when stores are polled: a cron expression, @every 5m, @hourly
	// and the like, or a bare duration.
	Schedule           string `yaml:"schedule"`
	MaxConcurrentPolls int    `yaml:"max_concurrent_polls" range:"1..1000"`
	// StoresDir is the directory of further stores; empty: none. They are in Stores,
	// and the callbacks of its instances in Callbacks.
	StoresDir string     `yaml:"stores_dir"`
	Stores    []Store    `yaml:"stores"`    // at least one
	Callbacks []Callback `yaml:"callbacks"` // none only where the file says so, and the admin API is there
	Storage   Storage    `yaml:"storage"`
	Admin     Admin      `yaml:"admin"`
	Log       Log        `yaml:"log"`
	// Notes tell what of the files of StoresDir has no counterpart here. They are
	// the first of Warnings.
	Notes []Note `yaml:"-"`
	// Unread tells which values could not be had, and are zero: only where less than
	// the Whole was asked for. Then Store.API may be APIAuto.
	Unread Faults `yaml:"-"`
}

// A Store is an Ecwid shop that is polled.
type Store struct {
	ID          int64    `yaml:"id" range:"1.."`
	Name        string   `yaml:"name"` // "store <id>" where the file gives none
	Tags        []string `yaml:"tags"`
	OrderSecret Secret   `yaml:"order_secret"`
	// API is APIV3 or APILegacy. Where the file says auto, it follows from the
	// form of OrderSecret.
	API     string `yaml:"api" oneof:"auto|v3|legacy"`
	BaseURL URL    `yaml:"base_url"`
	// Schedule is Config.Schedule where the file gives the store none.
	Schedule string `yaml:"schedule"`
	Start    Start  `yaml:"start"`
	// Overlap is how far each poll re-reads behind the cursor.
	Overlap time.Duration `yaml:"overlap" range:"0s..168h"`
	// Reconcile is when the store is compared in full: a schedule, or
	// ReconcileOff.
	Reconcile string `yaml:"reconcile"`
	// Ignore holds JSON pointers whose changes are no event; * matches one step.
	Ignore []string `yaml:"ignore"`
	// Callbacks names those that the store's events go to; empty: all. Where there are
	// callbacks of instances, which are for their own stores alone, it names the others
	// instead of being empty.
	Callbacks         []string `yaml:"callbacks"`
	RequestsPerMinute int      `yaml:"requests_per_minute" range:"1..600"`
	Paused            bool     `yaml:"paused"`
}

// A Callback is an endpoint that events are POSTed to.
type Callback struct {
	// Name is "default" where the file gives the only callback none.
	Name    string `yaml:"name"`
	URL     URL    `yaml:"url"`
	Format  string `yaml:"format" oneof:"standard|openconnectors|ecwid|cloudevents"`
	Payload string `yaml:"payload" oneof:"full|thin"`
	// Events are the types that are delivered; empty: all.
	Events []event.Type `yaml:"events"`
	// OnlyChanges holds JSON pointers: an update is delivered only if one of them
	// changed; empty: every update is.
	OnlyChanges []string `yaml:"only_changes"`
	// SigningSecrets each sign every POST; empty: nothing is signed. The file may
	// give one without a list.
	SigningSecrets []Secret          `yaml:"signing_secret"`
	Headers        map[string]Secret `yaml:"headers"`
	BearerToken    Secret            `yaml:"bearer_token"`
	BasicAuth      BasicAuth         `yaml:"basic_auth"`
	TLS            TLS               `yaml:"tls"`
	Proxy          URL               `yaml:"proxy"` // zero: none
	Timeout        time.Duration     `yaml:"timeout" range:"100ms..10m"`
	Concurrency    int               `yaml:"concurrency" range:"1..1000"`
	// RateLimit is the most POSTs a second; 0: as many as there are.
	RateLimit float64 `yaml:"rate_limit" range:"0..100000"`
	// Ordering says which deliveries wait for each other: those of an object,
	// those of the callback, or none.
	Ordering string `yaml:"ordering" oneof:"object|callback|none"`
	Retry    Retry  `yaml:"retry"`
	Paused   bool   `yaml:"paused"`
}

// BasicAuth is what a callback asks for by HTTP basic authentication.
type BasicAuth struct {
	Username string `yaml:"username"`
	Password Secret `yaml:"password"`
}

// TLS names PEM files for the connection to a callback.
type TLS struct {
	CAFile   string `yaml:"ca_file"`   // empty: the system's authorities
	CertFile string `yaml:"cert_file"` // empty: no client certificate
	KeyFile  string `yaml:"key_file"`
}

// Retry says when a delivery that failed is attempted again. First is at most
// Longest, and Longest at most MaxAge.
type Retry struct {
	First   time.Duration `yaml:"first" range:"1ms..168h"`
	Longest time.Duration `yaml:"longest" range:"1ms..168h"`
	MaxAge  time.Duration `yaml:"max_age" range:"1ms..8760h"`
}

// Storage says where the program keeps what it knows.
type Storage struct {
	Driver string `yaml:"driver" oneof:"bolt|postgres"`
	// Path is the database file of DriverBolt. A relative one is taken from the
	// first directory of $STATE_DIRECTORY when that is set, which systemd does.
	// Otherwise from the directory of the configuration file, so that the same
	// file always means the same database, wherever the program is started; and
	// without a file, from the working directory.
	Path          string        `yaml:"path"`
	DSN           Secret        `yaml:"dsn"` // of DriverPostgres
	KeepDelivered time.Duration `yaml:"keep_delivered" range:"1s..87600h"`
	KeepDead      time.Duration `yaml:"keep_dead" range:"1s..87600h"`
}

// Admin is the HTTP API, the metrics and the dashboard.
type Admin struct {
	Listen string `yaml:"listen"` // host:port; empty: disabled
	// Token is never empty when Listen is reachable from other machines.
	Token Secret `yaml:"token"`
}

// Log says what is logged, and how.
type Log struct {
	Level  string `yaml:"level" oneof:"debug|info|warn|error"`
	Format string `yaml:"format" oneof:"json|console"`
}

// A defaulter puts its defaults in place before it is decoded.
type defaulter interface{ setDefaults() }

func (c *Config) setDefaults() {
	*c = Config{
		Schedule:           "@every 5m",
		MaxConcurrentPolls: 32,
		Storage: Storage{
			Driver:        DriverBolt,
			Path:          "ecwid-events.db",
			KeepDelivered: 168 * time.Hour,
			KeepDead:      2160 * time.Hour,
		},
		Admin: Admin{Listen: "127.0.0.1:8321"},
		Log:   Log{Level: "info", Format: "json"},
	}
}

func (s *Store) setDefaults() {
	*s = Store{
		API:               APIAuto,
		BaseURL:           mustURL("https://app.ecwid.com"),
		Start:             Start{Mode: StartSnapshot},
		Overlap:           5 * time.Minute,
		Reconcile:         "@daily",
		RequestsPerMinute: 600,
	}
}

func (c *Callback) setDefaults() {
	*c = Callback{
		Format:      FormatStandard,
		Payload:     PayloadFull,
		Timeout:     15 * time.Second,
		Concurrency: 8,
		Ordering:    OrderingObject,
		Retry:       Retry{First: 5 * time.Second, Longest: time.Hour, MaxAge: 72 * time.Hour},
	}
}
