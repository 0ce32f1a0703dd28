package packaging_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The versions of packages are ordered as the commits are.
func TestVersionsGrow(t *testing.T) {
	t.Parallel()
	order := [][2]string{
		{"abc1234", "0.0.0+gabc1234"},
		{"v1.2.0-rc.1", "1.2.0~rc.1"},
		{"v1.2.0-rc.1-5-gabc1234", "1.2.0~rc.1+5.gabc1234"},
		{"v1.2.0-rc.2", "1.2.0~rc.2"},
		{"v1.2.0", "1.2.0"},
		{"v1.2.0-9-gfbc1234", "1.2.0+9.gfbc1234"},
		{"v1.2.0-10-gabc1234", "1.2.0+10.gabc1234"},
		{"v1.2.0-10-gabc1234-dirty", "1.2.0+10.gabc1234.dirty"},
		{"v1.2.1", "1.2.1"},
		{"v1.2.1-dirty", "1.2.1+dirty"},
		{"v1.10.0", "1.10.0"},
	}
	for i, version := range order {
		got, err := exec.CommandContext(t.Context(), "./version.sh", version[0]).Output()
		if err != nil || string(got) != version[1]+"\n" {
			t.Errorf("%s: %q, %v, want %q", version[0], got, err, version[1])
		}
		if i == 0 {
			continue
		}
		before := order[i-1][1]
		run(t, command(t, "dpkg", "--compare-versions", before, "lt", version[1]))
		if out := run(t, command(t, "rpm", "--eval", fmt.Sprintf("%%{lua:print(rpm.vercmp(%q,%q))}", before, version[1]))); out != "-1\n" {
			t.Errorf("rpm does not find %s older than %s: %s", before, version[1], out)
		}
	}
	for _, bad := range []string{"", "dev", "v1.2", "abc1234-5-gabc1234"} {
		if out, err := exec.CommandContext(t.Context(), "./version.sh", bad).Output(); err == nil {
			t.Errorf("%q became the version %q", bad, out)
		}
	}
}

// packages builds the packages of a version in a directory of their own and returns
// the path of each, by its format.
func packages(t *testing.T, version string) map[string]string {
	t.Helper()
	directory := t.TempDir()
	build := exec.CommandContext(t.Context(), "./packages.sh", program(t), runtime.GOARCH, version, directory)
	build.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=1700000000")
	run(t, build)
	files := map[string]string{}
	for _, format := range []string{"deb", "rpm"} {
		found, err := filepath.Glob(filepath.Join(directory, "*."+format))
		if err != nil || len(found) != 1 {
			t.Fatalf("%d packages of the format %s: %v", len(found), format, err)
		}
		files[format] = found[0]
		info, err := os.Stat(found[0])
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.1f MB", filepath.Base(found[0]), float64(info.Size())/1e6)
	}
	return files
}

func TestPackages(t *testing.T) {
	t.Parallel()
	old, young := packages(t, "v1.0.0"), packages(t, "v1.1.0")
	t.Run("are the same when built again", func(t *testing.T) {
		t.Parallel()
		for format, path := range packages(t, "v1.0.0") {
			if sha256.Sum256([]byte(read(t, path))) != sha256.Sum256([]byte(read(t, old[format]))) {
				t.Errorf("the %s differs", format)
			}
		}
	})
	t.Run("hold what they should", func(t *testing.T) {
		t.Parallel()
		testContents(t, old)
	})
	for version, wanted := range map[string]bool{"249": false, "250": true} {
		t.Run("beside systemd "+version, func(t *testing.T) {
			t.Parallel()
			testOldSystemd(t, old, version, wanted)
		})
	}
	for name, systemd := range map[string]bool{"with systemd": true, "without systemd": false} {
		t.Run("deb "+name, func(t *testing.T) {
			t.Parallel()
			testDeb(t, old["deb"], young["deb"], systemd)
		})
		t.Run("rpm "+name, func(t *testing.T) {
			t.Parallel()
			testRPM(t, old["rpm"], young["rpm"], systemd)
		})
	}
}

// content is each file of the packages, with its mode. All belong to root.
var content = map[string]string{
	"/usr/bin/ecwid-events":                             "-rwxr-xr-x",
	"/usr/lib/systemd/system/ecwid-events.service":      "-rw-r--r--",
	"/etc/ecwid-events/config.yaml":                     "-rw-r--r--",
	"/etc/ecwid-events/environment":                     "-rw-------",
	"/etc/ecwid-events/secrets":                         "drwx------",
	"/usr/share/doc/ecwid-events/config.example.yaml":   "-rw-r--r--",
	"/usr/share/doc/ecwid-events/operations.md":         "-rw-r--r--",
	"/usr/share/doc/ecwid-events/copyright":             "-rw-r--r--",
	"/usr/share/ecwid-events/prometheus/alerts.yaml":    "-rw-r--r--",
	"/usr/share/ecwid-events/grafana/ecwid-events.json": "-rw-r--r--",
}

func testContents(t *testing.T, files map[string]string) {
	deb := run(t, command(t, "dpkg-deb", "-c", files["deb"]))
	if diff := cmp.Diff(content, listing(t, deb, `(?m)^(\S+) (\S+)\s+\d+ \S+ \S+ \.(/\S+?)/?$`, "root/root", "0/0")); diff != "" {
		t.Errorf("deb (-want +got):\n%s", diff)
	}
	const configured = "/etc/ecwid-events/config.yaml\n/etc/ecwid-events/environment\n"
	if conffiles := run(t, command(t, "dpkg-deb", "-I", files["deb"], "conffiles")); conffiles != configured {
		t.Errorf("conffiles %q", conffiles)
	}
	fields := run(t, command(t, "dpkg-deb", "-f", files["deb"], "Package", "Version", "Breaks"))
	if fields != "Package: ecwid-events\nVersion: 1.0.0-1\nBreaks: systemd (<< 250)\n" {
		t.Errorf("fields %q", fields)
	}
	rpm := run(t, command(t, "rpm", "-qp", "--qf", "[%{FILEMODES:perms} %{FILEUSERNAME}/%{FILEGROUPNAME} 0 - - .%{FILENAMES}\n]", files["rpm"]))
	if diff := cmp.Diff(content, listing(t, rpm, `(?m)^(\S+) (\S+) 0 - - \.(\S+)$`, "root/root")); diff != "" {
		t.Errorf("rpm (-want +got):\n%s", diff)
	}
	if conffiles := run(t, command(t, "rpm", "-qpc", files["rpm"])); conffiles != configured {
		t.Errorf("rpm: configuration files %q", conffiles)
	}
}

// listing returns the modes of what is listed, by path, without the directories that
// other packages have too.
func listing(t *testing.T, text, line string, owners ...string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, match := range regexp.MustCompile(line).FindAllStringSubmatch(text, -1) {
		mode, owner, path := match[1], match[2], match[3]
		if strings.HasPrefix(mode, "d") && path != "/etc/ecwid-events/secrets" {
			continue
		}
		if !strings.Contains(strings.Join(owners, " "), owner) {
			t.Errorf("%s belongs to %s", path, owner)
		}
		found[path] = mode
	}
	return found
}
