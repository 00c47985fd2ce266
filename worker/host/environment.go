package host

import (
	"maps"
	"net/url"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/hostapi"
)

// Environment is what function code finds in its environment: a small base of the node's, what Azure's platform sets,
// and the app's settings, which win. Nothing of the worker's own configuration is in it, because function code must not
// get at the link: the base is a list of what may pass, and names of ours and Nomad's are dropped from the settings too.
func Environment(cfg Config, spec hostapi.Spec, appDir string) map[string]string {
	env := maps.Clone(cfg.Base)
	if env == nil {
		env = map[string]string{}
	}
	maps.Copy(env, map[string]string{
		"HOME": cfg.WorkDir, "TMPDIR": tempDir(cfg), "TMP": tempDir(cfg), "TEMP": tempDir(cfg),
		"WEBSITE_SITE_NAME":           spec.App,
		"WEBSITE_INSTANCE_ID":         cfg.InstanceID,
		"AzureWebJobsScriptRoot":      appDir,
		"FUNCTIONS_EXTENSION_VERSION": "~4",
		"AZURE_FUNCTIONS_ENVIRONMENT": "Production",
		azfunc.RuntimeSetting:         spec.Runtime,
	})
	if u, err := url.Parse(spec.PublicURL); err == nil && u.Host != "" {
		env["WEBSITE_HOSTNAME"] = u.Host
	}
	for name, value := range spec.Settings {
		if usable(name, value) {
			env[name] = value
		}
	}
	return env
}

// usable refuses what cannot be in an environment, and names by which the worker itself is configured.
func usable(name, value string) bool {
	if name == "" || strings.ContainsAny(name, "=\x00") || strings.Contains(value, "\x00") {
		return false
	}
	upper := strings.ToUpper(name)
	for _, prefix := range []string{"NIGHTSHIFT_", "NOMAD_", "CONSUL_", "VAULT_"} {
		if strings.HasPrefix(upper, prefix) {
			return false
		}
	}
	return true
}

// BaseNames lists the variables of the worker's own environment that function code may see.
func BaseNames() []string {
	return []string{
		"PATH", "LANG", "LC_ALL", "TZ", "JAVA_HOME", "DOTNET_ROOT", "SSL_CERT_FILE", "SSL_CERT_DIR", "LD_LIBRARY_PATH",
		"SystemRoot", "SystemDrive", "windir", "ComSpec", "PATHEXT", "ProgramData", "ProgramFiles", "ProgramFiles(x86)",
		"NUMBER_OF_PROCESSORS", "PROCESSOR_ARCHITECTURE", "OS",
	}
}
