package packaging_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"
)

const kubernetes = "../examples/kubernetes/"

// cluster is what the manifests of examples/kubernetes say.
type cluster struct {
	namespace core.Namespace
	configMap core.ConfigMap
	secret    core.Secret
	set       apps.StatefulSet
	service   core.Service
	policy    networking.NetworkPolicy
	config    string // config.yaml in the ConfigMap
}

// manifests decodes the manifests as strictly as a server with field validation does.
func manifests(t *testing.T) *cluster {
	t.Helper()
	var c cluster
	for file, object := range map[string]any{
		"namespace.yaml": &c.namespace, "configmap.yaml": &c.configMap, "secret.yaml": &c.secret,
		"statefulset.yaml": &c.set, "service.yaml": &c.service, "networkpolicy.yaml": &c.policy,
	} {
		if err := yaml.UnmarshalStrict([]byte(read(t, kubernetes+file)), object); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	c.config = c.configMap.Data["config.yaml"]
	return &c
}

// Every manifest has the kind that its type stands for, and is applied.
func TestKustomizationNamesEveryManifest(t *testing.T) {
	t.Parallel()
	var k struct {
		APIVersion string   `json:"apiVersion"`
		Kind       string   `json:"kind"`
		Namespace  string   `json:"namespace"`
		Resources  []string `json:"resources"`
		Images     []struct {
			Name    string `json:"name"`
			NewName string `json:"newName"`
			NewTag  string `json:"newTag"`
		} `json:"images"`
	}
	if err := yaml.UnmarshalStrict([]byte(read(t, kubernetes+"kustomization.yaml")), &k); err != nil {
		t.Fatal(err)
	}
	c := manifests(t)
	kinds := map[string][2]string{
		"namespace.yaml":     {c.namespace.Kind, "Namespace"},
		"configmap.yaml":     {c.configMap.Kind, "ConfigMap"},
		"secret.yaml":        {c.secret.Kind, "Secret"},
		"statefulset.yaml":   {c.set.Kind, "StatefulSet"},
		"service.yaml":       {c.service.Kind, "Service"},
		"networkpolicy.yaml": {c.policy.Kind, "NetworkPolicy"},
	}
	files, err := filepath.Glob(kubernetes + "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		if name == "kustomization.yaml" {
			continue
		}
		if kind := kinds[name]; kind[0] != kind[1] || kind[0] == "" {
			t.Errorf("%s: kind %q, want %q", name, kind[0], kind[1])
		}
		if !slices.Contains(k.Resources, name) {
			t.Errorf("kustomization.yaml does not name %s", name)
		}
	}
	if len(k.Resources) != len(kinds) || k.Namespace != c.namespace.Name {
		t.Errorf("kustomization.yaml: %d resources in namespace %q, want %d in %q", len(k.Resources), k.Namespace, len(kinds), c.namespace.Name)
	}
	if len(k.Images) != 1 || k.Images[0].Name != c.set.Spec.Template.Spec.Containers[0].Image {
		t.Errorf("kustomization.yaml replaces the images %v, not that of the StatefulSet", k.Images)
	}
}

// The namespace enforces the restricted standard: Kubernetes' own code says whether
// the pod meets it.
func TestPodIsRestricted(t *testing.T) {
	t.Parallel()
	c := manifests(t)
	if level := c.namespace.Labels[api.EnforceLevelLabel]; level != string(api.LevelRestricted) {
		t.Errorf("the namespace enforces %q", level)
	}
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	template := &c.set.Spec.Template
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	results := evaluator.EvaluatePod(level, &template.ObjectMeta, &template.Spec)
	if len(results) == 0 {
		t.Fatal("nothing was checked")
	}
	for _, r := range results {
		if !r.Allowed {
			t.Errorf("%s: %s", r.ForbiddenReason, r.ForbiddenDetail)
		}
	}
	container := template.Spec.Containers[0]
	if readOnly := container.SecurityContext.ReadOnlyRootFilesystem; readOnly == nil || !*readOnly {
		t.Error("the root is not read-only")
	}
	if token := template.Spec.AutomountServiceAccountToken; token == nil || *token {
		t.Error("the pod gets a token of the cluster")
	}
}

func TestOneReplicaKeepsItsStorage(t *testing.T) {
	t.Parallel()
	spec := manifests(t).set.Spec
	if spec.Replicas == nil || *spec.Replicas != 1 {
		t.Error("the storage is for one process, but there is not exactly one replica")
	}
	if len(spec.VolumeClaimTemplates) != 1 || spec.PersistentVolumeClaimRetentionPolicy != nil {
		t.Fatal("not one claim, or one that does not stay")
	}
	claim := spec.VolumeClaimTemplates[0]
	path, ok := mount(&spec.Template.Spec.Containers[0], claim.Name)
	if want := environment(t)["STATE_DIRECTORY"]; !ok || path.MountPath != want || path.ReadOnly {
		t.Errorf("the claim is mounted at %q, want %q, where the image keeps its state", path.MountPath, want)
	}
}

// Who restarts the pod asks whether it lives; who sends something to it, whether it can do
// its work. A full disk, say, is no reason to restart it.
func TestProbesAskForWhatTheyDecide(t *testing.T) {
	t.Parallel()
	container := manifests(t).set.Spec.Template.Spec.Containers[0]
	for path, probes := range map[string][]*core.Probe{
		"/healthz": {container.StartupProbe, container.LivenessProbe},
		"/readyz":  {container.ReadinessProbe},
	} {
		for _, probe := range probes {
			if probe.HTTPGet.Path != path {
				t.Errorf("a probe asks for %s, want %s", probe.HTTPGet.Path, path)
			}
		}
	}
	if len(container.Command) != 0 || len(container.Args) != 0 {
		t.Errorf("%q %q is run, and not what the image says", container.Command, container.Args)
	}
}

// Out go names and HTTPS, the latter to no private address; in comes Prometheus.
func TestNetworkPolicy(t *testing.T) {
	t.Parallel()
	spec := manifests(t).policy.Spec
	ports := func(ports []networking.NetworkPolicyPort) (all []string) {
		for _, p := range ports {
			all = append(all, string(*p.Protocol)+" "+p.Port.String())
		}
		return all
	}
	if diff := cmp.Diff([]networking.PolicyType{"Ingress", "Egress"}, spec.PolicyTypes); diff != "" {
		t.Errorf("types (-want +got):\n%s", diff)
	}
	if len(spec.Ingress) != 1 || len(spec.Egress) != 2 || len(spec.Ingress[0].From) != 1 || len(spec.Egress[0].To) != 2 || len(spec.Egress[1].To) != 2 {
		t.Fatal("not one rule for what comes in, and two for what goes out")
	}
	names, https := spec.Egress[0], spec.Egress[1]
	for _, rule := range []struct {
		what      string
		got, want []string
	}{
		{"in", ports(spec.Ingress[0].Ports), []string{"TCP admin"}},
		{"names", ports(names.Ports), []string{"UDP 53", "TCP 53"}},
		{"HTTPS", ports(https.Ports), []string{"TCP 443"}},
		{"the cache of names", []string{names.To[1].IPBlock.CIDR}, []string{"169.254.20.10/32"}},
		{"IPv4", https.To[0].IPBlock.Except, []string{"169.254.0.0/16", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"}},
		{"IPv6", https.To[1].IPBlock.Except, []string{"fe80::/10", "fc00::/7"}},
	} {
		if diff := cmp.Diff(rule.want, rule.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", rule.what, diff)
		}
	}
	for peer, namespace := range map[*networking.NetworkPolicyPeer]string{&spec.Ingress[0].From[0]: "monitoring", &names.To[0]: "kube-system"} {
		if peer.NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"] != namespace {
			t.Errorf("%v is let through, want the namespace %s", peer.NamespaceSelector, namespace)
		}
	}
}

// Whoever stops the program waits as long: POSTs get 10 seconds to finish, and the rest is
// for writing down how they ended.
func TestStopIsWaitedFor(t *testing.T) {
	t.Parallel()
	const want = 30 * time.Second
	if got := settings(t)["Service.TimeoutStopSec"]; len(got) != 1 || got[0] != want.String() {
		t.Errorf("systemd waits for %q, want %s", got, want)
	}
	if got := manifests(t).set.Spec.Template.Spec.TerminationGracePeriodSeconds; got == nil || time.Duration(*got)*time.Second != want {
		t.Errorf("Kubernetes waits for %v seconds, want %s", got, want)
	}
	if got := compose(t).Services["ecwid-events"].StopGracePeriod; got == nil || time.Duration(*got) != want {
		t.Errorf("Docker Compose waits for %v, want %s", got, want)
	}
}

// What refers to something by its name means something that is there.
func TestManifestsReferToWhatIsThere(t *testing.T) {
	t.Parallel()
	c := manifests(t)
	pod, labels := &c.set.Spec.Template.Spec, c.set.Spec.Template.Labels
	for what, selector := range map[string]map[string]string{
		"StatefulSet": c.set.Spec.Selector.MatchLabels, "Service": c.service.Spec.Selector, "NetworkPolicy": c.policy.Spec.PodSelector.MatchLabels,
	} {
		for key, value := range selector {
			if labels[key] != value {
				t.Errorf("%s selects %s=%s, the pod has %q", what, key, value, labels[key])
			}
		}
		if len(selector) == 0 {
			t.Errorf("%s selects every pod", what)
		}
	}
	if c.set.Spec.ServiceName != c.service.Name {
		t.Errorf("the StatefulSet's service is %q, there is %q", c.set.Spec.ServiceName, c.service.Name)
	}
	container := &pod.Containers[0]
	ports := []string{c.service.Spec.Ports[0].TargetPort.StrVal, c.policy.Spec.Ingress[0].Ports[0].Port.StrVal}
	for _, probe := range []*core.Probe{container.StartupProbe, container.LivenessProbe, container.ReadinessProbe} {
		ports = append(ports, probe.HTTPGet.Port.StrVal)
	}
	for _, port := range ports {
		if port != container.Ports[0].Name {
			t.Errorf("port %q is used, the container has %q", port, container.Ports[0].Name)
		}
	}
	for _, v := range pod.Volumes {
		if v.ConfigMap != nil && v.ConfigMap.Name != c.configMap.Name || v.Secret != nil && v.Secret.SecretName != c.secret.Name {
			t.Errorf("volume %s is of something that is not there", v.Name)
		}
		if _, ok := mount(container, v.Name); !ok {
			t.Errorf("volume %s is not mounted", v.Name)
		}
	}
	for key := range secrets {
		if value, ok := c.secret.StringData[key]; !ok || value != "" {
			t.Errorf("the secret's %s is missing, or not empty", key)
		}
	}
}

func mount(c *core.Container, volume string) (core.VolumeMount, bool) {
	i := slices.IndexFunc(c.VolumeMounts, func(m core.VolumeMount) bool { return m.Name == volume })
	if i < 0 {
		return core.VolumeMount{}, false
	}
	return c.VolumeMounts[i], true
}
