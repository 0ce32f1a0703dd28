package packaging_test

import (
	"encoding/json"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// An instruction of a Dockerfile: its name and the rest of the line.
type instruction struct{ name, rest string }

// stages returns the instructions of each stage of a Dockerfile, FROM first.
func stages(t *testing.T, path string) [][]instruction {
	t.Helper()
	text := regexp.MustCompile(`(?m)^\s*#.*\n`).ReplaceAllString(read(t, path), "")
	text = strings.ReplaceAll(text, "\\\n", " ")
	var all [][]instruction
	for line := range strings.Lines(text) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case name == "":
			continue
		case name == "FROM":
			all = append(all, nil)
		case len(all) == 0:
			t.Fatalf("%s: %s before FROM", path, name)
		}
		last := len(all) - 1
		all[last] = append(all[last], instruction{name, strings.Join(strings.Fields(rest), " ")})
	}
	return all
}

// only returns what the one instruction of that name says.
func only(t *testing.T, stage []instruction, name string) string {
	t.Helper()
	var found []string
	for _, i := range stage {
		if i.name == name {
			found = append(found, i.rest)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d instructions %s, want one: %q", len(found), name, found)
	}
	return found[0]
}

// environment returns the variables that the image sets.
func environment(t *testing.T) map[string]string {
	t.Helper()
	all := stages(t, "../Dockerfile")
	variables := map[string]string{}
	for pair := range strings.FieldsSeq(only(t, all[len(all)-1], "ENV")) {
		name, value, _ := strings.Cut(pair, "=")
		variables[name] = value
	}
	return variables
}

func TestImageNeedsNoRights(t *testing.T) {
	t.Parallel()
	for path, base := range map[string]string{"../Dockerfile": "scratch", "../examples/compose/receiver.Dockerfile": "busybox:1.37-musl"} {
		all := stages(t, path)
		last := all[len(all)-1]
		if last[0].rest != base {
			t.Errorf("%s: the image is made from %s, want %s", path, last[0].rest, base)
		}
		if user := only(t, last, "USER"); user != "65532:65532" {
			t.Errorf("%s: it runs as %s", path, user)
		}
	}
}

// What is written while the root is read-only goes to the volume.
func TestImageWritesToItsVolumeOnly(t *testing.T) {
	t.Parallel()
	all := stages(t, "../Dockerfile")
	last, variables := all[len(all)-1], environment(t)
	volume := only(t, last, "VOLUME")
	if variables["STATE_DIRECTORY"] != volume || variables["TMPDIR"] != volume {
		t.Errorf("the volume is %s, the variables are %v", volume, variables)
	}
	owned := instruction{"COPY", "--from=build --chown=65532:65532 /image" + volume + " " + volume}
	if !slices.Contains(last, owned) {
		t.Errorf("%s does not belong to the user", volume)
	}
}

// The image runs the daemon: not another command, and not the help. Docker Compose lets it.
func TestImageRunsTheDaemon(t *testing.T) {
	t.Parallel()
	all := stages(t, "../Dockerfile")
	last := all[len(all)-1]
	var command []string
	for _, name := range []string{"ENTRYPOINT", "CMD"} {
		var part []string
		if err := json.Unmarshal([]byte(only(t, last, name)), &part); err != nil {
			t.Fatalf("%s needs a shell, which there is not: %v", name, err)
		}
		command = append(command, part...)
	}
	if diff := cmp.Diff([]string{"/usr/bin/ecwid-events", "run"}, command); diff != "" {
		t.Errorf("it runs (-want +got):\n%s", diff)
	}
	if own := compose(t).Services["ecwid-events"]; own.Command != nil || own.Entrypoint != nil {
		t.Errorf("Docker Compose runs %q %q, and not what the image says", own.Entrypoint, own.Command)
	}
}

// The health check is the program's own command, and in a form that needs no shell.
func TestImageChecksItsHealth(t *testing.T) {
	t.Parallel()
	all := stages(t, "../Dockerfile")
	last := all[len(all)-1]
	_, form, _ := strings.Cut(only(t, last, "HEALTHCHECK"), " CMD ")
	var health, entry []string
	if err := json.Unmarshal([]byte(form), &health); err != nil {
		t.Fatalf("HEALTHCHECK %q: %v", form, err)
	}
	if err := json.Unmarshal([]byte(only(t, last, "ENTRYPOINT")), &entry); err != nil {
		t.Fatal(err)
	}
	if len(health) != 2 || health[0] != entry[0] || health[1] != "healthcheck" {
		t.Fatalf("HEALTHCHECK %q, ENTRYPOINT %q: not the same program's healthcheck", health, entry)
	}
	if out := run(t, exec.CommandContext(t.Context(), program(t), health[1], "--help")); !strings.Contains(out, "ecwid-events "+health[1]) {
		t.Errorf("the program has no command %s:\n%s", health[1], out)
	}
}
