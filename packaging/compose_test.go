package packaging_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// compose loads examples/compose as docker compose does: by its schema, with
// references and files resolved.
func compose(t *testing.T) *types.Project {
	t.Helper()
	directory, err := filepath.Abs("../examples/compose")
	if err != nil {
		t.Fatal(err)
	}
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir:  directory,
		ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(directory, "compose.yaml")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(project.Services) != 4 {
		t.Fatalf("services %v, want 4", project.ServiceNames())
	}
	return project
}

func TestComposeServicesAreHardened(t *testing.T) {
	t.Parallel()
	for name, s := range compose(t).Services {
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s: read-only %v, without %v, %v", name, s.ReadOnly, s.CapDrop, s.SecurityOpt)
		}
		if user, _, _ := strings.Cut(s.User, ":"); user == "" || user == "0" || user == "root" {
			t.Errorf("%s runs as %q", name, s.User)
		}
		if s.Privileged || s.NetworkMode == "host" || s.MemLimit == 0 {
			t.Errorf("%s: privileged %v, network %q, memory limit %d", name, s.Privileged, s.NetworkMode, s.MemLimit)
		}
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s opens port %s on %q", name, port.Published, port.HostIP)
			}
		}
	}
}

// The image of ecwid-events says itself how its health is asked for.
func TestComposeServicesHaveHealthChecks(t *testing.T) {
	t.Parallel()
	for name, s := range compose(t).Services {
		if own := s.HealthCheck != nil && !s.HealthCheck.Disable; own == (name == "ecwid-events") {
			t.Errorf("%s: a health check in compose.yaml: %v", name, own)
		}
	}
}

// Secrets come as files, one by one to whom they concern; no variable holds one.
func TestComposeKeepsSecretsInFiles(t *testing.T) {
	t.Parallel()
	project := compose(t)
	used := map[string]bool{}
	for name, s := range project.Services {
		for _, secret := range s.Secrets {
			used[secret.Source] = true
		}
		for variable, value := range s.Environment {
			if value == nil || strings.Contains(variable, "SECRET") || strings.HasSuffix(variable, "PASSWORD") {
				t.Errorf("%s: the variable %s holds a secret, or comes from outside", name, variable)
			}
		}
	}
	for name, secret := range project.Secrets {
		if secret.File == "" || filepath.Base(filepath.Dir(secret.File)) != "secrets" || !used[name] {
			t.Errorf("the secret %s: file %q, used: %v", name, secret.File, used[name])
		}
	}
	if !strings.Contains(read(t, "../examples/compose/.gitignore"), "secrets/\n") {
		t.Error("git does not ignore the secrets")
	}
}

func TestComposeFilesAreThere(t *testing.T) {
	t.Parallel()
	project := compose(t)
	for name, c := range project.Configs {
		if !exists(c.File) {
			t.Errorf("the config %s is in %s, which is not there", name, c.File)
		}
	}
	for name, s := range project.Services {
		if s.Build == nil {
			continue
		}
		if file := filepath.Join(s.Build.Context, s.Build.Dockerfile); !exists(file) {
			t.Errorf("%s is built from %s, which is not there", name, file)
		}
	}
}

// Only what must reach Ecwid, or be reached from this machine, has a way out.
func TestComposeReceiverHasNoWayOut(t *testing.T) {
	t.Parallel()
	project := compose(t)
	for _, name := range []string{"receiver", "prometheus"} {
		for network := range project.Services[name].Networks {
			if !project.Networks[network].Internal {
				t.Errorf("%s is in the network %s, which is not internal", name, network)
			}
		}
	}
}
