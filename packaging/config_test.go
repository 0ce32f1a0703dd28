package packaging_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// The configurations that are handed out are not valid before they are filled in, and
// say what is missing; filled in, they are valid.
func TestConfigurationsWantToBeFilledIn(t *testing.T) {
	t.Parallel()
	const number, url = "stores[0].id: ", "callbacks[0].url: "
	tests := map[string]struct {
		text    string
		secrets string            // where its secrets are, up to their names
		values  map[string]string // of the secrets
		missing []string
	}{
		"package": {
			text: read(t, "config.yaml"), secrets: "/run/credentials/ecwid-events.service/secret_",
			values: map[string]string{"order": "secret_x"}, missing: []string{number, url},
		},
		"compose": {
			text: read(t, "../examples/compose/config.yaml"), secrets: "/run/secrets/",
			values: secrets, missing: []string{number},
		},
		"kubernetes": {
			text: manifests(t).config, secrets: "/run/secrets/ecwid-events/",
			values: secrets, missing: []string{number, url},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			directory := t.TempDir() + "/"
			for name, value := range test.values {
				write(t, filepath.Join(directory, name), value+"\n")
			}
			text := strings.ReplaceAll(test.text, test.secrets, directory)
			if text == test.text {
				t.Fatalf("no secret is in %s", test.secrets)
			}

			status, out := check(t, text)
			if status != 2 || strings.Count(out, "\n") != 1+len(test.missing) {
				t.Errorf("as handed out: status %d, want 2 and %d faults:\n%s", status, len(test.missing), out)
			}
			for _, key := range test.missing {
				if !strings.Contains(out, key) {
					t.Errorf("as handed out: nothing is said about %s\n%s", key, out)
				}
			}

			if status, out := check(t, filledIn(text)); status != 0 {
				t.Errorf("filled in: status %d\n%s", status, out)
			}
		})
	}
}

// secrets are values that the configurations accept.
var secrets = map[string]string{
	"order":   "secret_x",
	"signing": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
	"admin":   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
}

// filledIn is a configuration as a person makes it of one that is handed out, with a
// signing secret where there is one.
func filledIn(text string) string {
	return strings.NewReplacer("id: 0 ", "id: 1003 ", `url: "" `, `url: "https://example.com/ecwid-events" `).Replace(text)
}

// Commands in a shell, which have no $STATE_DIRECTORY, find the storage of the unit: by
// the configuration of the package, and by those of the documentation that are for it.
func TestConfigurationsOfTheUnitNameItsStorage(t *testing.T) {
	t.Parallel()
	texts := map[string]string{"config.yaml": read(t, "config.yaml")}
	for _, page := range []string{"../README.md", "../docs/operations.md"} {
		for i, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(read(t, page), -1) {
			if strings.Contains(block[1], "/run/credentials/") || strings.Contains(block[1], "stores_dir: /etc/") {
				texts[fmt.Sprintf("%s, block %d", page, i+1)] = block[1]
			}
		}
	}
	if len(texts) != 3 {
		t.Errorf("%d configurations for the unit, want that of the package, and one of each page", len(texts))
	}
	directory := "/var/lib/" + settings(t)["Service.StateDirectory"][0]
	for name, text := range texts {
		var config struct {
			Storage struct {
				Path string `json:"path"`
			} `json:"storage"`
		}
		if err := yaml.Unmarshal([]byte(text), &config); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if filepath.Dir(config.Storage.Path) != directory {
			t.Errorf("%s: storage.path is %q, not in %s", name, config.Storage.Path, directory)
		}
	}
}

func TestOperationsNamesCommandsThatExist(t *testing.T) {
	t.Parallel()
	page := read(t, "../docs/operations.md")
	calls := regexp.MustCompile(`(?m)(?:`+"`"+`|^    |sudo |-- |exec ecwid-events )ecwid-events ([a-z]+)((?: [a-z]+)?)`).FindAllStringSubmatch(page, -1)
	if len(calls) < 10 {
		t.Fatalf("only %d commands found", len(calls))
	}
	asked := map[string]bool{}
	for _, call := range calls {
		name := call[1] + call[2]
		if asked[name] {
			continue
		}
		asked[name] = true
		out := run(t, exec.CommandContext(t.Context(), program(t), append(strings.Fields(name), "--help")...))
		if !regexp.MustCompile(`(?m)^  ecwid-events ` + name + `( |$)`).MatchString(out) {
			t.Errorf("there is no command %q:\n%s", name, out)
		}
	}
}
