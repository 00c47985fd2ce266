package management

import (
	"net/http"

	"github.com/nightshift-functions/nightshift/manager/identity"
)

// The beginnings of paths.
const (
	subPath   = "/subscriptions/{sub}"
	groupPath = subPath + "/resourceGroups/{group}"
	sitePath  = groupPath + "/providers/Microsoft.Web/sites/{site}"
	ourPath   = subPath + "/providers/Nightshift.Runtime"
)

// routes is the whole face: every route with its action. What is new here is covered by the authorization tests,
// which walk over this table.
func routes() []route {
	all := subscriptionRoutes()
	all = append(all, siteRoutes()...)
	all = append(all, publishingRoutes()...)
	all = append(all, keyRoutes()...)
	return append(all, runRoutes()...)
}

func subscriptionRoutes() []route {
	const get, put, del = http.MethodGet, http.MethodPut, http.MethodDelete
	return []route{
		{get, "/metadata/endpoints", "", public, (*API).endpoints},
		{get, "/tenants", "", signedIn, (*API).tenants},
		{get, "/subscriptions", "", signedIn, (*API).listSubscriptions},
		{get, subPath, identity.ActionReadSubscription, listed, (*API).getSubscription},
		{get, subPath + "/locations", identity.ActionReadLocations, listed, (*API).locations},
		{get, subPath + "/resources", identity.ActionReadSite, listed, (*API).resources},
		{get, subPath + "/resourceGroups", identity.ActionReadGroup, listed, (*API).listGroups},
		{get, groupPath, identity.ActionReadGroup, listed, (*API).getGroup},
		{http.MethodHead, groupPath, identity.ActionReadGroup, listed, (*API).headGroup},
		{put, groupPath, identity.ActionWriteGroup, scoped, (*API).putGroup},
		{del, groupPath, identity.ActionDeleteGroup, scoped, (*API).deleteGroup},
		{get, groupPath + "/providers/Microsoft.Web/serverfarms", planAction, listed, (*API).listPlans},
		{get, groupPath + "/providers/Microsoft.Web/serverfarms/{plan}", planAction, listed, (*API).getPlan},
		{http.MethodPost, "/providers/Microsoft.ResourceGraph/resources", "", signedIn, (*API).queryResources},
		{get, ourPath + "/audit", identity.ActionReadAudit, scoped, (*API).listAudit},
		{get, "/providers/Nightshift.Runtime/audit", identity.ActionReadAudit, scoped, (*API).listAudit},
		{get, ourPath + "/nodes", identity.ActionReadNodes, listed, (*API).listNodes},
	}
}

func siteRoutes() []route {
	const get, put, post = http.MethodGet, http.MethodPut, http.MethodPost
	return []route{
		{get, subPath + "/providers/Microsoft.Web/sites", identity.ActionReadSite, listed, (*API).listSites},
		{get, groupPath + "/providers/Microsoft.Web/sites", identity.ActionReadSite, listed, (*API).listSites},
		{get, sitePath, identity.ActionReadSite, scoped, (*API).getSite},
		{put, sitePath, identity.ActionWriteSite, scoped, (*API).putSite},
		{http.MethodPatch, sitePath, identity.ActionWriteSite, scoped, (*API).patchSite},
		{http.MethodDelete, sitePath, identity.ActionDeleteSite, scoped, (*API).deleteSite},
		{post, sitePath + "/start", identity.ActionStart, scoped, (*API).startSite},
		{post, sitePath + "/stop", identity.ActionStop, scoped, (*API).stopSite},
		{post, sitePath + "/restart", identity.ActionRestart, scoped, (*API).restartSite},
		{put, sitePath + "/config/appsettings", identity.ActionWriteConfig, scoped, (*API).putSettings},
		{post, sitePath + "/config/appsettings/list", identity.ActionListConfig, scoped, (*API).listSettings},
		{post, sitePath + "/config/connectionstrings/list", identity.ActionListConfig, scoped, (*API).listConnectionStrings},
		{get, sitePath + "/config/slotConfigNames", identity.ActionReadConfig, scoped, (*API).slotConfigNames},
		{get, sitePath + "/config/web", identity.ActionReadConfig, scoped, (*API).configWeb},
	}
}

func publishingRoutes() []route {
	const get, post = http.MethodGet, http.MethodPost
	const policies = sitePath + "/basicPublishingCredentialsPolicies"
	return []route{
		{post, sitePath + "/config/publishingcredentials/list", identity.ActionListConfig, scoped, (*API).publishingCredentials},
		{post, sitePath + "/publishxml", identity.ActionPublishXML, scoped, (*API).publishXML},
		{post, sitePath + "/newpassword", identity.ActionNewPassword, scoped, (*API).newPassword},
		{get, policies, identity.ActionReadPolicies, scoped, (*API).listPolicies},
		{get, policies + "/{policy}", identity.ActionReadPolicies, scoped, (*API).getPolicy},
		{get, sitePath + "/deployments", identity.ActionReadDeployment, scoped, (*API).listDeployments},
		{get, sitePath + "/deployments/{deployment}", identity.ActionReadDeployment, scoped, (*API).getDeployment},
		{get, sitePath + "/deployments/{deployment}/log", identity.ActionReadDeployment, scoped, (*API).deploymentLog},
	}
}

func keyRoutes() []route {
	const put, post, del = http.MethodPut, http.MethodPost, http.MethodDelete
	const functionKey, hostKey = sitePath + "/functions/{function}/keys/{key}", sitePath + "/host/default/{keytype}/{key}"
	return []route{
		{post, sitePath + "/functions/{function}/listkeys", identity.ActionListFunctionKeys, scoped, (*API).listFunctionKeys},
		{post, sitePath + "/functions/{function}/listsecrets", identity.ActionListSecrets, scoped, (*API).listFunctionSecrets},
		{put, functionKey, identity.ActionWriteFunctionKey, scoped, (*API).putFunctionKey},
		{del, functionKey, identity.ActionDeleteFunctionKey, scoped, (*API).deleteFunctionKey},
		{post, sitePath + "/host/default/listkeys", identity.ActionListHostKeys, scoped, (*API).listHostKeys},
		{put, hostKey, identity.ActionWriteHostKey, scoped, (*API).putHostKey},
		{del, hostKey, identity.ActionDeleteHostKey, scoped, (*API).deleteHostKey},
	}
}

func runRoutes() []route {
	const get, post = http.MethodGet, http.MethodPost
	return []route{
		{get, sitePath + "/functions", identity.ActionReadFunction, scoped, (*API).listFunctions},
		{get, sitePath + "/functions/{function}", identity.ActionReadFunction, scoped, (*API).getFunction},
		{get, sitePath + "/instances", identity.ActionReadInstance, scoped, (*API).listInstances},
		{post, sitePath + "/syncfunctiontriggers", identity.ActionSyncTriggers, scoped, (*API).syncTriggers},
		{post, sitePath + "/host/default/sync", identity.ActionSyncTriggers, scoped, (*API).syncTriggers},
	}
}
