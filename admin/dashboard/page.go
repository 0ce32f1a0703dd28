package dashboard

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.uber.org/zap"
)

// A page is what a template shows.
type page struct {
	name string // of the template

	Title string
	// Main is what the page is about, for its template.
	Main any
	// Live has the page follow what happens: it is the place of the newest event that
	// it may show. nil: the page stays as it is.
	Live *uint64
	// Charts has the page draw its tables of figures.
	Charts bool

	// The rest is filled in by render.

	Path     string
	Section  string // the address of the section that the page is in
	Version  string
	Now      *moment
	NowMilli int64 // the same, for the machine
	Notice   *notice
	Entered  bool // the visitor may see the other pages
	LoggedIn bool // and has logged in for that
}

// pages are the templates, by the name of the page.
type pages map[string]*template.Template

var pageNames = []string{
	"overview", "stores", "store", "callbacks", "callback", "confirm", "events", "event", "deliveries", "login", "problem",
}

// A section is what the head of each page leads to.
type section struct{ Name, Address string }

func sections() []section {
	return []section{
		{"Overview", "/"},
		{"Stores", "/stores"},
		{"Callbacks", "/callbacks"},
		{"Events", "/events"},
		{"Deliveries", "/deliveries"},
	}
}

// parsePages reads the templates: each page with the frame and the parts that it shares.
func parsePages(assets assets) (pages, error) {
	shared, err := template.New("").Funcs(functions).Funcs(template.FuncMap{
		"asset": assets.address, "sections": sections, "meanings": func() []meaning { return meanings }, "meaning": meaningOf, "title": title,
		"many": func(callbacks []string) bool { return len(callbacks) > toChoose },
		"past": func(t *time.Time) bool { return !t.After(time.Now()) },
	}).ParseFS(templateFiles, "templates/shared/*.html")
	if err != nil {
		return nil, fmt.Errorf("reading the templates that pages share: %w", err)
	}
	pages := make(pages)
	for _, name := range pageNames {
		t, err := shared.Clone()
		if err == nil {
			t, err = t.ParseFS(templateFiles, "templates/"+name+".html")
		}
		if err != nil {
			return nil, fmt.Errorf("reading the template of the page %s: %w", name, err)
		}
		pages[name] = t
	}
	return pages, nil
}

// title begins a word with a capital letter.
func title(word string) string {
	first, size := utf8.DecodeRuneInString(word)
	return string(unicode.ToUpper(first)) + word[size:]
}

// render answers with a page.
func (d *dashboard) render(w http.ResponseWriter, r *http.Request, status int, p page) {
	p.Path, p.Version = r.URL.Path, d.version
	section, _, _ := strings.Cut(strings.TrimPrefix(p.Path, "/"), "/")
	p.Section = "/" + section
	p.Entered = d.IsLoggedIn(r)
	p.LoggedIn = p.Entered && d.token != ""
	now := time.Now()
	p.Now, p.NowMilli = at(now), now.UnixMilli()
	if r.Header.Get("X-Refresh") == "" { // else it is for a part of a page, which shows no notice
		p.Notice = d.notices.take(w, r)
	}
	var body bytes.Buffer
	if err := d.pages[p.name].ExecuteTemplate(&body, "frame", p); err != nil {
		d.log.Error("dashboard.failed", zap.String("page", p.name), zap.Error(err))
		http.Error(w, errInternal.Title+". "+errInternal.Detail, http.StatusInternalServerError)
		return
	}
	shown := showControls(body.Bytes())
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(shown)))
	w.WriteHeader(status)
	_, _ = w.Write(shown) // a client that is gone needs no answer
}
