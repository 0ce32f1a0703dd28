package config

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ecwid-events/ecwid-events/event"
)

// Checks are the grammars of values that belong to other packages. Their errors
// say what is wrong in a few words. A nil func accepts everything.
type Checks struct {
	Schedule      func(schedule string) error
	Pointer       func(pointer string) error
	SigningSecret func(format, secret string) error
	// Header is given the headers of a callback, and those that its authentication
	// sets. Its error never holds the value.
	Header func(name, value string) error
	// TLS reads the files.
	TLS func(files TLS) error
}

// A validator holds a decoded Config against the rules that its tags cannot say.
type validator struct {
	*report
	checks Checks
}

// validate is given where each store and each callback was found.
func (v *validator) validate(c *Config, stores, callbacks []place) {
	v.schedule("schedule", c.Schedule)
	names := callbackNames(c.Callbacks, callbacks)
	ids := map[int64]place{}
	for i, at := range stores {
		v := validator{report: at.report, checks: v.checks}
		v.storeID(at, c.Stores[i].ID, ids)
		v.store(at.path, &c.Stores[i], names)
	}
	for i, at := range callbacks {
		v := validator{report: at.report, checks: v.checks}
		v.callback(at.path, &c.Callbacks[i])
		v.auth(at.path, &c.Callbacks[i])
	}
	v.storage(&c.Storage)
	v.admin(&c.Admin)
}

func (v *validator) schedule(path, schedule string) {
	if schedule == "" {
		v.fault(path, "is empty: write a schedule, such as \"@every 5m\"")
		return
	}
	if v.checks.Schedule == nil {
		return
	}
	if err := v.checks.Schedule(schedule); err != nil {
		v.fault(path, "%s", err)
	}
}

func (v *validator) storeID(p place, id int64, ids map[int64]place) {
	at := join(p.path, "id")
	if !v.given(at) {
		v.fault(at, "required: the store's id, a number that Ecwid's control panel shows")
		return
	}
	if first, ok := ids[id]; ok && !v.faulted[at] {
		v.fault(at, "%d is the id of %s already (line %d)", id, first.from(v.report), first.lineOf(join(first.path, "id")))
		return
	}
	ids[id] = p
}

func (v *validator) store(path string, s *Store, callbacks map[string]place) {
	secret := join(path, "order_secret")
	switch {
	case s.OrderSecret.IsZero():
		v.fault(secret, "required: the store's REST v3 secret token (secret_…) or its legacy Order API secret")
	case strings.ContainsAny(s.OrderSecret.Reveal(), " \t"):
		v.fault(secret, "holds a space: copy the secret again, without what surrounds it")
	}
	v.plainURL(join(path, "base_url"), s.BaseURL)
	if at := join(path, "schedule"); s.Schedule != "" && v.given(at) {
		v.schedule(at, s.Schedule)
	}
	if at := join(path, "reconcile"); s.Reconcile == "" {
		v.fault(at, "is empty: write a schedule, such as \"@daily\", or \"off\" to disable it")
	} else if s.Reconcile != ReconcileOff {
		v.schedule(at, s.Reconcile)
	}
	v.pointers(join(path, "ignore"), s.Ignore)
	for i, name := range s.Callbacks {
		at := fmt.Sprintf("%s[%d]", join(path, "callbacks"), i)
		if _, ok := callbacks[name]; !ok {
			v.fault(at, "there is no callback of that name: %s", theNames(callbacks))
		} else if slices.Contains(s.Callbacks[:i], name) {
			v.fault(at, "is in the list already: remove it")
		}
	}
}

func theNames(callbacks map[string]place) string {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(callbacks)), func(name string) bool { return name == "" })
	if len(names) == 0 {
		return "none has a name"
	}
	return "use " + or(names[:min(len(names), 10)])
}

// plainURL requires an http URL to which a path can be added.
func (v *validator) plainURL(path string, u URL) {
	switch {
	case u.IsZero():
		v.fault(path, "is empty: leave it out for Ecwid's own")
	case !hasScheme(u, "http", "https"):
		v.fault(path, "must begin with http:// or https://")
	case u.parsed().User != nil || strings.Contains(u.Reveal(), "?"):
		v.fault(path, "must not have a user name, a password or a query")
	}
}

func hasScheme(u URL, schemes ...string) bool { return slices.Contains(schemes, u.parsed().Scheme) }

func (v *validator) pointers(path string, pointers []string) {
	if v.checks.Pointer == nil {
		return
	}
	for i, pointer := range pointers {
		if err := v.checks.Pointer(pointer); err != nil {
			v.fault(fmt.Sprintf("%s[%d]", path, i), "%s", err)
		}
	}
}

// callbackName is what paths, commands and metrics labels take without escapes.
var callbackName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// callbackNames checks the names and returns where each was given first.
func callbackNames(callbacks []Callback, places []place) map[string]place {
	first := map[string]place{}
	for i, c := range callbacks {
		p := places[i]
		at := join(p.path, "name")
		other, taken := first[c.Name]
		switch {
		case c.Name == "":
			p.fault(at, "required when there are several callbacks")
		case !callbackName.MatchString(c.Name):
			p.fault(at, "must be letters, digits and . _ -, 64 at most")
		case taken && p.path == instanceCallback && other.path == instanceCallback:
			// Their stores have the same id, which is told of those.
		case taken:
			p.fault(at, "%s is the name of %s already (line %d)", c.Name, other.from(p.report), other.lineOf(other.path))
		}
		if !taken {
			first[c.Name] = p
		}
	}
	return first
}

func (v *validator) callback(path string, c *Callback) {
	if at := path + ".url"; c.URL.IsZero() {
		v.fault(at, "required: where to POST events, such as https://example.com/ecwid-events")
	} else if !hasScheme(c.URL, "http", "https") {
		v.fault(at, "must begin with http:// or https://")
	}
	v.proxy(path+".proxy", c.Proxy)
	for i, t := range c.Events {
		at := fmt.Sprintf("%s.events[%d]", path, i)
		if !slices.Contains(event.Types(), t) {
			v.fault(at, "must be %s", or(eventTypes()))
		} else if slices.Contains(c.Events[:i], t) {
			v.fault(at, "is in the list already: remove it")
		}
	}
	v.pointers(path+".only_changes", c.OnlyChanges)
	v.signingSecrets(path+".signing_secret", c)
	v.tls(path+".tls", c)
	if r := c.Retry; (r.First > r.Longest || r.Longest > r.MaxAge) && !v.faultedIn(path+".retry") {
		v.fault(path+".retry", "first (%s) must be at most longest (%s), and longest at most max_age (%s)",
			formatDuration(r.First), formatDuration(r.Longest), formatDuration(r.MaxAge))
	}
}

func (v *validator) proxy(path string, u URL) {
	if u.IsZero() {
		return
	}
	parts := u.parsed()
	if !hasScheme(u, "http", "https", "socks5") {
		v.fault(path, "must begin with http://, https:// or socks5://")
	} else if parts.Path != "" && parts.Path != "/" || strings.Contains(u.Reveal(), "?") {
		v.fault(path, "must end after the host and the port")
	}
	if parts.Scheme != "socks5" || parts.User == nil {
		return
	}
	// RFC 1929 has a byte for each length, and none of them is 0.
	password, _ := parts.User.Password()
	for _, text := range []string{parts.User.Username(), password} {
		if text == "" || len(text) > 255 {
			v.fault(path, "needs a user and a password of 1 to 255 bytes each for socks5, or neither")
		}
	}
}

func (v *validator) tls(path string, c *Callback) {
	files := c.TLS
	switch {
	case files == TLS{}:
		return
	case !c.URL.IsZero() && !hasScheme(c.URL, "https"):
		v.fault(path, "is for a url that begins with https://: correct that, or remove this")
	case (files.CertFile == "") != (files.KeyFile == ""):
		v.fault(path, "needs both of cert_file and key_file, or neither")
	case v.checks.TLS != nil && !v.faultedIn(path):
		if err := v.checks.TLS(files); err != nil {
			v.miss(v.lenient, path, "%s", err)
		}
	}
}

func eventTypes() []string {
	var words []string
	for _, t := range event.Types() {
		words = append(words, string(t))
	}
	return words
}

func (v *validator) signingSecrets(path string, c *Callback) {
	if v.checks.SigningSecret == nil {
		return
	}
	for i, secret := range c.SigningSecrets {
		at := itemPath(path, i, len(c.SigningSecrets))
		if secret.IsZero() || v.faulted[path] {
			continue
		}
		if err := v.checks.SigningSecret(c.Format, secret.Reveal()); err != nil {
			v.fault(at, "%s", strings.ReplaceAll(err.Error(), secret.Reveal(), redacted))
		}
	}
}

// auth checks what a callback is sent besides the event.
func (v *validator) auth(path string, c *Callback) {
	names := map[string]bool{} // in lower case
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		at := join(path+".headers", showKey(name))
		v.header(at, name, c.Headers[name])
		if lower := strings.ToLower(name); names[lower] {
			v.fault(at, "is given in another case already: the case of a header does not count")
		} else {
			names[lower] = true
		}
	}
	v.header(path+".bearer_token", "Authorization", c.BearerToken)
	if c.BasicAuth.Username == "" && !c.BasicAuth.Password.IsZero() {
		v.fault(path+".basic_auth.username", "required with a password")
	}
	if strings.Contains(c.BasicAuth.Username, ":") {
		v.fault(path+".basic_auth.username", "must not hold a colon")
	}
	ways := 0
	for _, used := range []bool{names["authorization"], !c.BearerToken.IsZero(), c.BasicAuth != BasicAuth{}, c.URL.parsed().User != nil} {
		if used {
			ways++
		}
	}
	if ways > 1 {
		v.fault(path, "keep one of bearer_token, basic_auth, an Authorization header and a user in the url: each would set the same header")
	}
}

func (v *validator) header(path, name string, value Secret) {
	if v.checks.Header == nil {
		return
	}
	if err := v.checks.Header(name, value.Reveal()); err != nil {
		v.fault(path, "%s", err)
	}
}

func (v *validator) storage(s *Storage) {
	switch s.Driver {
	case DriverBolt:
		if s.Path == "" {
			v.fault("storage.path", "is empty: write the path of the database file, or leave it out")
		}
		if !s.DSN.IsZero() {
			v.fault("storage.dsn", "belongs to driver: postgres, and the driver is bolt: remove it, or change the driver")
		}
	case DriverPostgres:
		if s.DSN.IsZero() {
			v.fault("storage.dsn", "required with driver: postgres, such as postgres://user@host/database")
		}
		if v.given("storage.path") {
			v.fault("storage.path", "belongs to driver: bolt, and the driver is postgres: remove it")
		}
	}
}

func (v *validator) admin(a *Admin) {
	if a.Listen == "" {
		return
	}
	host, port, err := net.SplitHostPort(a.Listen)
	if err != nil {
		v.fault("admin.listen", "must be an address and a port, such as 127.0.0.1:8321")
		return
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		v.fault("admin.listen", "its port must be from 0 to 65535")
	}
	if a.Token.IsZero() && !isLoopback(host) {
		v.fault("admin.token", "required, as %s is reachable from other machines: set a token, or listen on 127.0.0.1",
			v.key("admin.listen"))
	}
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.Unmap().IsLoopback()
}
