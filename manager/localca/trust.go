package localca

import (
	"fmt"
	"strings"
)

// Tool is a program or a system and what makes it trust the authority.
type Tool struct {
	Name string
	// Linux and Windows are commands, one per line; "" where the tool has none of its own.
	Linux   string
	Windows string
	Note    string
}

// Tools says, per tool, how to trust the certificate in caFile.
func Tools(caFile string) []Tool {
	set := func(variable string) (string, string) {
		return fmt.Sprintf("export %s='%s'", variable, caFile), fmt.Sprintf("$env:%s = '%s'", variable, caFile)
	}
	tools := []Tool{
		{
			Name: "The whole system (curl, .NET, Visual Studio, func, browsers on Windows)",
			Linux: fmt.Sprintf("sudo cp '%s' /usr/local/share/ca-certificates/nightshift.crt && sudo update-ca-certificates   # Debian, Ubuntu\n"+
				"sudo cp '%s' /etc/pki/ca-trust/source/anchors/nightshift.crt && sudo update-ca-trust                # Fedora, RHEL", caFile, caFile),
			Windows: fmt.Sprintf("Import-Certificate -FilePath '%s' -CertStoreLocation Cert:\\CurrentUser\\Root   # LocalMachine\\Root for all users", caFile),
		},
		{Name: "Azure CLI (az) and other Python programs", Note: "Python does not ask the system. The file replaces the public authorities for this shell."},
		{Name: "Node.js (Azure Functions Core Tools' templates, GitHub Actions, VS Code extensions)", Note: "The file is taken besides the public authorities."},
		{Name: "Go programs (Terraform) and OpenSSL", Note: "Not needed when the whole system trusts the authority; on Windows only the system's store counts for Go."},
	}
	for i, variable := range []string{"REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"} {
		tools[i+1].Linux, tools[i+1].Windows = set(variable)
	}
	return append(tools, Tool{Name: "Firefox", Note: "Settings, Privacy & Security, View Certificates, Authorities, Import: " + caFile})
}

// TrustText is Tools as a text for people.
func TrustText(caFile string) string {
	var out strings.Builder
	fmt.Fprintf(&out, "The certificate of this installation's own authority: %s\n", caFile)
	for _, t := range Tools(caFile) {
		fmt.Fprintf(&out, "\n%s\n", t.Name)
		for _, block := range []struct{ label, text string }{{"Linux (sh)", t.Linux}, {"Windows (PowerShell)", t.Windows}, {"", t.Note}} {
			if block.text == "" {
				continue
			}
			if block.label != "" {
				fmt.Fprintf(&out, "  %s:\n", block.label)
			}
			fmt.Fprintf(&out, "    %s\n", strings.ReplaceAll(block.text, "\n", "\n    "))
		}
	}
	return out.String()
}
