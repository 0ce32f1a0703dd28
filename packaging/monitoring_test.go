package packaging_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func TestAlertsFireWhenTheyShould(t *testing.T) {
	t.Parallel()
	run(t, command(t, "promtool", "check", "rules", "prometheus/alerts.yaml"))
	run(t, command(t, "promtool", "test", "rules", "prometheus/alerts_test.yaml"))
}

// Rules are those of alerts.yaml, as far as they are looked at here.
type rules struct {
	Groups []struct {
		Name  string `json:"name"`
		Rules []rule `json:"rules"`
	} `json:"groups"`
}

type rule struct {
	Alert  string `json:"alert,omitempty"`
	Record string `json:"record,omitempty"`
	Expr   string `json:"expr"`
}

func alerts(t *testing.T) []rule {
	t.Helper()
	var r rules
	if err := yaml.Unmarshal([]byte(read(t, "prometheus/alerts.yaml")), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Groups) != 1 || len(r.Groups[0].Rules) == 0 {
		t.Fatal("alerts.yaml has not one group with rules")
	}
	return r.Groups[0].Rules
}

// A person whom an alert wakes finds out what to do, and a test says when it fires.
func TestAlertsAreExplainedAndTested(t *testing.T) {
	t.Parallel()
	page, cases := read(t, "../docs/operations.md"), read(t, "prometheus/alerts_test.yaml")
	for _, a := range alerts(t) {
		if !strings.Contains(page, "`"+a.Alert+"`") {
			t.Errorf("docs/operations.md does not explain %s", a.Alert)
		}
		if !regexp.MustCompile(`alertname: ` + a.Alert + `\n\s+eval_time: \S+\n\s+exp_alerts:`).MatchString(cases) {
			t.Errorf("alerts_test.yaml has no case in which %s fires", a.Alert)
		}
	}
}

func TestMonitoringNamesMetricsThatExist(t *testing.T) {
	t.Parallel()
	known := metrics(t)
	exprs := dashboard(t)
	for _, a := range alerts(t) {
		exprs = append(exprs, a.Expr)
	}
	used := map[string]bool{}
	for _, expr := range exprs {
		for _, name := range regexp.MustCompile(`\becwid_events_\w+`).FindAllString(expr, -1) {
			base, suffix := name, regexp.MustCompile(`_(bucket|sum|count)$`).FindString(name)
			if suffix != "" {
				base = strings.TrimSuffix(name, suffix)
			}
			if kind, ok := known[base]; !ok || (kind == "histogram") != (suffix != "") {
				t.Errorf("there is no metric %s, which is used in: %s", name, expr)
			}
			used[base] = true
		}
	}
	for name := range known {
		if !used[name] && name != "ecwid_events_build_info" {
			t.Errorf("neither an alert nor the dashboard shows %s", name)
		}
	}
}

// metrics returns the kind of each metric by its name, from the calls in package
// metrics that make them.
func metrics(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../metrics/metrics.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{"ecwid_events_build_info": "gauge"}
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) == 0 {
			return true
		}
		kind, ok := call.Fun.(*ast.Ident)
		name, literal := call.Args[0].(*ast.BasicLit)
		if ok && literal && (kind.Name == "counter" || kind.Name == "histogram" || kind.Name == "gauge") {
			text, err := strconv.Unquote(name.Value)
			if err != nil {
				t.Error(err)
			}
			found["ecwid_events_"+text] = kind.Name
		}
		return true
	})
	if len(found) < 10 {
		t.Fatalf("only %d metrics found in metrics.go: %v", len(found), found)
	}
	return found
}

// Prometheus's own parser reads the queries of the dashboard.
func TestDashboardQueriesAreValid(t *testing.T) {
	t.Parallel()
	variables := strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*")
	records := make([]rule, 0, 30)
	for i, expr := range dashboard(t) {
		records = append(records, rule{Record: fmt.Sprintf("panel_%d", i), Expr: variables.Replace(expr)})
	}
	text, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": records}}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "dashboard.yaml")
	write(t, path, string(text))
	run(t, command(t, "promtool", "check", "rules", path))
}

// dashboard returns the queries of the dashboard, and tests what must hold for
// Grafana to show each panel: an id and a place of its own.
func dashboard(t *testing.T) []string {
	t.Helper()
	var d struct {
		UID, Title string
		Panels     []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "grafana/ecwid-events.json")), &d); err != nil {
		t.Fatal(err)
	}
	if d.UID == "" || d.Title == "" || len(d.Panels) == 0 {
		t.Fatal("the dashboard has no uid, title or panels")
	}
	var exprs []string
	ids, taken := map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if p.ID == 0 || ids[p.ID] || p.Title == "" || len(p.Targets) == 0 {
			t.Errorf("panel %d %q: no id of its own, title or query", p.ID, p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, ok := taken[[2]int{x, y}]; ok || x >= 24 {
					t.Fatalf("panel %q overlaps %q, or the edge", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		for _, target := range p.Targets {
			exprs = append(exprs, target.Expr)
		}
	}
	return exprs
}

// The configuration of Prometheus in examples/compose, with the paths of this machine.
func TestPrometheusOfComposeIsValid(t *testing.T) {
	t.Parallel()
	const from = "../examples/compose/prometheus.yaml"
	text := read(t, from)
	if !strings.Contains(text, "job_name: ecwid-events\n") {
		t.Error("the job is not called ecwid-events, which alerts.yaml and the dashboard expect")
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	directory := t.TempDir()
	write(t, filepath.Join(directory, "admin"), "token\n")
	path := filepath.Join(directory, "prometheus.yaml")
	write(t, path, strings.NewReplacer(
		"/etc/prometheus/alerts.yaml", filepath.Join(here, "prometheus", "alerts.yaml"),
		"/run/secrets/admin", filepath.Join(directory, "admin"),
	).Replace(text))
	run(t, command(t, "promtool", "check", "config", path))
}

// Grafana tells rates over an interval that it takes from this: over one without two
// scrapes there would be nothing to see.
func TestGrafanaOfComposeKnowsTheScrapes(t *testing.T) {
	t.Parallel()
	var scraped struct {
		Global struct {
			Interval string `json:"scrape_interval"`
		} `json:"global"`
	}
	var source struct {
		Datasources []struct {
			Data struct {
				Interval string `json:"timeInterval"`
			} `json:"jsonData"`
		} `json:"datasources"`
	}
	for file, into := range map[string]any{"prometheus.yaml": &scraped, "grafana-datasource.yaml": &source} {
		if err := yaml.Unmarshal([]byte(read(t, "../examples/compose/"+file)), into); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	if len(source.Datasources) != 1 || scraped.Global.Interval == "" || source.Datasources[0].Data.Interval != scraped.Global.Interval {
		t.Errorf("scraped every %q, Grafana is told %+v", scraped.Global.Interval, source.Datasources)
	}
}
