package management

import (
	"strings"
	"time"

	"github.com/nightshift-functions/nightshift/internal/store"
)

const (
	siteType = "Microsoft.Web/sites"
	siteKind = "functionapp"
	// sku is one with which every client uploads to the SCM endpoint; with "Dynamic" or a Linux kind they would upload
	// to a storage account.
	sku = "ElasticPremium"
	// planName is the plan that every app is in until plans can be made.
	planName = "default"
)

// siteID is an app's ARM id.
func siteID(a store.App) string {
	return "/subscriptions/" + a.SubscriptionID + "/resourceGroups/" + a.ResourceGroup + "/providers/" + siteType + "/" + a.Name
}

// envelope is ARM's frame of a resource below an app.
func envelope(app store.App, path, name, kind string, properties any) map[string]any {
	return map[string]any{
		"id": siteID(app) + "/" + path, "name": app.Name + "/" + name, "type": siteType + "/" + kind,
		"location": app.Location, "properties": properties,
	}
}

// configEnvelope is the frame of a configuration, whose name stands alone.
func configEnvelope(app store.App, name string, properties any) map[string]any {
	e := envelope(app, "config/"+name, name, "config", properties)
	e["name"], e["kind"] = name, app.Kind
	return e
}

// siteJSON is an app as ARM shows it. Each property is read by at least one of Azure's tools: enabledHostNames must
// have a name with ".scm." for func, hostNameSslStates one of type Repository for az and VS Code, and sku and
// reserved decide how they upload.
func (a Addresses) siteJSON(app store.App) map[string]any {
	host, scm := a.appHost(app.Name), a.scmHost(app.Name)
	return map[string]any{
		"id": siteID(app), "name": app.Name, "type": siteType, "kind": app.Kind, "location": app.Location, "tags": app.Tags,
		"properties": map[string]any{
			"name": app.Name, "state": stateOf(app), "enabled": !app.Stopped, "adminEnabled": true,
			"availabilityState": "Normal", "usageState": "Normal", "provisioningState": "Succeeded",
			"hostNames": []string{host}, "enabledHostNames": []string{host, scm}, "defaultHostName": host,
			"hostNameSslStates": []any{
				map[string]any{"name": host, "sslState": "Disabled", "hostType": "Standard"},
				map[string]any{"name": a.scmName(app.Name), "sslState": "Disabled", "hostType": "Repository"},
			},
			"repositorySiteName": app.Name, "serverFarmId": planID(app), "sku": sku,
			"reserved": false, "isXenon": false, "hyperV": false, "httpsOnly": false, "clientAffinityEnabled": false,
			"resourceGroup": app.ResourceGroup, "lastModifiedTimeUtc": app.UpdatedAt.UTC().Format(time.RFC3339Nano),
			"siteConfig":        map[string]any{"numberOfWorkers": 1, "linuxFxVersion": "", "windowsFxVersion": nil, "alwaysOn": false, "appSettings": nil},
			"functionAppConfig": nil, "managedEnvironmentId": nil, "outboundIpAddresses": "", "possibleOutboundIpAddresses": "",
			// Of our own, in ARM's place for what it has no word for.
			"nightshift": map[string]any{
				"id": app.ID, "url": a.appURL(app.Name), "scmUrl": a.scmURL(app.Name), "desiredRevision": app.DesiredRevision,
				"createdTimeUtc": app.CreatedAt.UTC().Format(time.RFC3339Nano),
			},
		},
	}
}

func stateOf(app store.App) string {
	if app.Stopped {
		return "Stopped"
	}
	return "Running"
}

func planID(app store.App) string {
	return "/subscriptions/" + app.SubscriptionID + "/resourceGroups/" + app.ResourceGroup +
		"/providers/Microsoft.Web/serverfarms/" + planName
}

// configWebJSON is the configuration of an app besides its settings; what does not exist here has the value that
// tells clients to do nothing about it.
func configWebJSON(app store.App) map[string]any {
	return map[string]any{
		"numberOfWorkers": 1, "defaultDocuments": []string{}, "netFrameworkVersion": "v8.0", "phpVersion": "", "pythonVersion": "",
		"nodeVersion": "", "linuxFxVersion": "", "windowsFxVersion": nil, "scmType": "None", "use32BitWorkerProcess": false,
		"webSocketsEnabled": false, "alwaysOn": false, "ftpsState": "Disabled", "http20Enabled": false, "minTlsVersion": "1.2",
		"scmMinTlsVersion": "1.2", "cors": nil, "functionAppScaleLimit": 0, "minimumElasticInstanceCount": 0,
		"publishingUsername": publishingUser(app), "appSettings": nil, "connectionStrings": nil,
		"functionsRuntimeScaleMonitoringEnabled": false, "loadBalancing": "LeastRequests",
	}
}

func publishingUser(app store.App) string { return "$" + app.Name }

// reservedNames are taken by hosts and paths of Nightshift itself.
func reservedNames() []string {
	return []string{
		"scm", "admin", "api", "adfs", "portal", "www", "metadata", "subscriptions", "tenants", "providers", "hostapi",
		"metrics", "healthz", "readyz", "localhost", "functions", "runtime", "nightshift", "default",
	}
}

func isReserved(name string) bool {
	for _, r := range reservedNames() {
		if strings.EqualFold(r, name) {
			return true
		}
	}
	return false
}
