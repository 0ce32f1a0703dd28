package packaging_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goreleaser/goreleaser/v2/pkg/config"
)

// The recipes for an installation by hand, of README.md and docs/operations.md, install
// what the unit needs, and a configuration whose storage commands in a shell find.
func TestRecipesInstallWhatTheUnitNeeds(t *testing.T) {
	t.Parallel()
	for page, heading := range map[string]string{"../README.md": "**With systemd**", "../docs/operations.md": "## From an archive"} {
		t.Run(filepath.Base(page), func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			script := recipe(t, page, heading)
			for _, path := range []string{"/usr/bin/", "/etc/"} {
				script = strings.ReplaceAll(script, " "+path, " "+root+path)
			}
			script = strings.NewReplacer("> /etc/", "> "+root+"/etc/", "systemctl ", ": ").Replace(script)
			c := exec.CommandContext(t.Context(), "/bin/sh", "-euc", "mkdir -p "+root+"/usr/bin "+root+"/etc/systemd/system\n"+script)
			c.Dir, c.Stdin = archive(t), strings.NewReader("secret_x\n")
			run(t, c)

			unit := settings(t)
			for path, mode := range map[string]string{
				"/usr/bin/ecwid-events": "-rwxr-xr-x", configPath: "-rw-r--r--", unit["Unit.AssertPathIsDirectory"][0]: "drwx------",
				"/etc/systemd/system/ecwid-events.service": "-rw-r--r--", "/etc/ecwid-events": "drwxr-xr-x",
				secretPath: "-rw-------", environmentPath: "-rw-------",
			} {
				if got := modeOf(t, root+path); got != mode {
					t.Errorf("%s has the mode %s, want %s", path, got, mode)
				}
			}
			if read(t, root+configPath) != read(t, "config.yaml") {
				t.Errorf("%s is not packaging/config.yaml", configPath)
			}
		})
	}
}

// The instance of Open Connectors that docs/operations.md shows is valid with the variables
// beside it, and holds no secret: without them, each is missed by its name.
func TestRecipeForOpenConnectors(t *testing.T) {
	t.Parallel()
	_, text, _ := strings.Cut(read(t, "../docs/operations.md"), "## Move in from Open Connectors")
	blocks := regexp.MustCompile("(?s)```(json|sh|yaml)\n(.*?)```").FindAllStringSubmatch(text, 3)
	if len(blocks) != 3 || blocks[0][1] != "json" || blocks[1][1] != "sh" || blocks[2][1] != "yaml" {
		t.Fatalf("not an instance, variables and a configuration: %q", blocks)
	}
	directory := t.TempDir()
	write(t, filepath.Join(directory, "stores/flowers.json"), blocks[0][2])
	write(t, filepath.Join(directory, "config.yaml"), strings.ReplaceAll(blocks[2][2], "/etc/ecwid-events", directory))
	var variables, names []string
	for line := range strings.Lines(blocks[1][2]) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		names = append(names, name)
		variables = append(variables, name+"="+strings.Trim(value, "'"))
	}
	for _, environment := range [][]string{variables, {}} {
		c := exec.CommandContext(t.Context(), program(t), "check", "--config", filepath.Join(directory, "config.yaml"))
		c.Env = environment
		out, err := c.CombinedOutput()
		if (err == nil) != (len(environment) > 0) {
			t.Errorf("with %q: %v\n%s", environment, err, out)
		}
		for _, name := range names {
			if missed := strings.Contains(string(out), "the environment variable "+name+" is not set"); missed == (len(environment) > 0) {
				t.Errorf("with %q: %s is missed: %t\n%s", environment, name, missed, out)
			}
		}
	}
}

// recipe returns the first block of commands behind a heading.
func recipe(t *testing.T, page, heading string) string {
	t.Helper()
	_, text, ok := strings.Cut(read(t, page), heading)
	block := regexp.MustCompile(`(?m)(?:^    .*\n)+`).FindString(text)
	if !ok || block == "" {
		t.Fatalf("%s has no commands behind %q", page, heading)
	}
	return block
}

// archive returns a directory that holds what an archive does, and the program where make
// build leaves it too.
func archive(t *testing.T) string {
	t.Helper()
	project, err := config.Load("../.goreleaser.yaml")
	if err != nil {
		t.Fatal(err)
	}
	directory := t.TempDir()
	for _, file := range project.Archives[0].Files {
		write(t, filepath.Join(directory, file.Source), read(t, filepath.Join("..", file.Source)))
	}
	for _, path := range []string{"ecwid-events", "bin/ecwid-events"} {
		write(t, filepath.Join(directory, path), read(t, program(t)))
	}
	return directory
}

func modeOf(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Error(err)
		return ""
	}
	return info.Mode().String()
}
