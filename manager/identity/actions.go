package identity

// The actions that routes name, in Azure's spelling where Azure has the action. An action that ends in /read never
// shows a secret; one that ends in /action, /write or /delete is recorded in the audit.
const (
	ActionReadSubscription = "Microsoft.Resources/subscriptions/read"
	ActionReadLocations    = "Microsoft.Resources/subscriptions/locations/read"
	ActionReadResources    = "Microsoft.Resources/subscriptions/resources/read"
	ActionReadProvider     = "Microsoft.Resources/subscriptions/providers/read"
	ActionReadGroup        = "Microsoft.Resources/subscriptions/resourceGroups/read"
	ActionWriteGroup       = "Microsoft.Resources/subscriptions/resourceGroups/write"
	ActionDeleteGroup      = "Microsoft.Resources/subscriptions/resourceGroups/delete"

	ActionReadSite       = "Microsoft.Web/sites/read"
	ActionWriteSite      = "Microsoft.Web/sites/write"
	ActionDeleteSite     = "Microsoft.Web/sites/delete"
	ActionStart          = "Microsoft.Web/sites/start/action"
	ActionStop           = "Microsoft.Web/sites/stop/action"
	ActionRestart        = "Microsoft.Web/sites/restart/action"
	ActionSyncTriggers   = "Microsoft.Web/sites/syncfunctiontriggers/action"
	ActionReadConfig     = "Microsoft.Web/sites/config/read"
	ActionWriteConfig    = "Microsoft.Web/sites/config/write"
	ActionListConfig     = "Microsoft.Web/sites/config/list/action"
	ActionPublishXML     = "Microsoft.Web/sites/publishxml/action"
	ActionNewPassword    = "Microsoft.Web/sites/newpassword/action"
	ActionReadPolicies   = "Microsoft.Web/sites/basicPublishingCredentialsPolicies/read"
	ActionReadInstance   = "Microsoft.Web/sites/instances/read"
	ActionReadDeployment = "Microsoft.Web/sites/deployments/read"

	ActionReadFunction      = "Microsoft.Web/sites/functions/read"
	ActionRunFunction       = "Microsoft.Web/sites/functions/action"
	ActionListFunctionKeys  = "Microsoft.Web/sites/functions/listkeys/action"
	ActionListSecrets       = "Microsoft.Web/sites/functions/listsecrets/action"
	ActionWriteFunctionKey  = "Microsoft.Web/sites/functions/keys/write"
	ActionDeleteFunctionKey = "Microsoft.Web/sites/functions/keys/delete"
	ActionListHostKeys      = "Microsoft.Web/sites/host/listkeys/action"
	ActionWriteHostKey      = "Microsoft.Web/sites/host/keys/write"
	ActionDeleteHostKey     = "Microsoft.Web/sites/host/keys/delete"

	ActionReadAudit = "Nightshift.Runtime/audit/read"
	ActionReadNodes = "Nightshift.Runtime/nodes/read"

	ActionSignIn   = "Nightshift.Runtime/users/signin/action"
	ActionMakeUser = "Nightshift.Runtime/users/write"
	ActionDropUser = "Nightshift.Runtime/users/delete"
	ActionMakeRole = "Microsoft.Authorization/roleAssignments/write"
	ActionDropRole = "Microsoft.Authorization/roleAssignments/delete"
)

// PublishActions covers what the SCM endpoint of an app does: every action below Microsoft.Web/sites/publish, which is
// all that publishing credentials open and which Reader does not have, because SCM shows content and settings.
const PublishActions = "Microsoft.Web/sites/publish/*"

// The actions of the SCM endpoint. Publishing credentials have all of them.
const (
	ActionPublish          = "Microsoft.Web/sites/publish/write"            // accept a package, activate an older one
	ActionPublishRead      = "Microsoft.Web/sites/publish/deployments/read" // deployments, their logs, the environment
	ActionPublishContent   = "Microsoft.Web/sites/publish/content/action"   // vfs, zip: an app's content may hold secrets
	ActionPublishEdit      = "Microsoft.Web/sites/publish/content/write"    // vfs, zip
	ActionPublishSettings  = "Microsoft.Web/sites/publish/settings/action"  // read the settings through SCM
	ActionPublishConfigure = "Microsoft.Web/sites/publish/settings/write"   // SCM-only overrides
	ActionPublishLogs      = "Microsoft.Web/sites/publish/logs/read"        // log stream
)

// Recorded reports whether an allowed action leaves a row in the audit: all but plain reads do.
func Recorded(action string) bool { return !matchesAny([]string{"*/read"}, action) }
