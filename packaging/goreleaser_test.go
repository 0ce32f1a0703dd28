package packaging_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/goreleaser/goreleaser/v2/pkg/config"
)

// goreleaser reads its configuration strictly: a key that it does not know is an error.
func TestReleaseIsConfigured(t *testing.T) {
	t.Parallel()
	project, err := config.Load("../.goreleaser.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(project.Builds) != 1 || len(project.Archives) != 1 {
		t.Fatalf("%d builds and %d archives, want one each", len(project.Builds), len(project.Archives))
	}
	for _, file := range project.Archives[0].Files {
		if !exists(filepath.Join("..", file.Source)) {
			t.Errorf("an archive is to hold %s, which is not there", file.Source)
		}
	}
	build := project.Builds[0]
	if !exists(filepath.Join("..", build.Main, "main.go")) {
		t.Errorf("%s is no program", build.Main)
	}
	// As the Makefile builds it, but for the version.
	flags := strings.Join(build.Flags, " ") + " -ldflags '" + strings.ReplaceAll(strings.Join(build.Ldflags, " "), "{{ .Summary }}", "$(VERSION)") + "'"
	if !strings.Contains(read(t, "../Makefile"), "\nBUILD_FLAGS = "+flags+"\n") {
		t.Errorf("the Makefile does not build with %s", flags)
	}
	if strings.Join(build.Env, " ") != "CGO_ENABLED=0" {
		t.Errorf("the environment of the build is %v: the binary must be static", build.Env)
	}
}
