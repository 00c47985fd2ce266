package channel

// Capabilities is what a language worker said it understands, as far as we act on it. A capability counts as announced
// when its value is not empty: Java sends the capability's own name where others send "true".
type Capabilities struct {
	BodyOnly          bool   // RpcHttpBodyOnly: the body goes into RpcHttp.body alone
	BodyBytes         bool   // RawHttpBodyBytes: the body is bytes, never text
	NullableMaps      bool   // UseNullableValueDictionaryForHttp
	IgnoreEmptyHeader bool   // IgnoreEmptyValuedRpcHttpHeaders
	NoTriggerObject   bool   // RpcHttpTriggerMetadataRemoved
	Terminate         bool   // HandlesWorkerTerminateMessage
	Cancel            bool   // HandlesInvocationCancelMessage
	Status            bool   // WorkerStatus
	LoadCollection    bool   // SupportsLoadResponseCollection
	RouteParameters   bool   // RequiresRouteParameters: with HTTPURI, still fill in the route's values
	HTTPURI           string // HttpUri: HTTP requests go there
}

// ParseCapabilities reads the capabilities of a WorkerInitResponse.
func ParseCapabilities(from map[string]string) Capabilities {
	has := func(name string) bool { return from[name] != "" }
	return Capabilities{
		BodyOnly:          has("RpcHttpBodyOnly"),
		BodyBytes:         has("RawHttpBodyBytes"),
		NullableMaps:      has("UseNullableValueDictionaryForHttp"),
		IgnoreEmptyHeader: has("IgnoreEmptyValuedRpcHttpHeaders"),
		NoTriggerObject:   has("RpcHttpTriggerMetadataRemoved"),
		Terminate:         has("HandlesWorkerTerminateMessage"),
		Cancel:            has("HandlesInvocationCancelMessage"),
		Status:            has("WorkerStatus"),
		LoadCollection:    has("SupportsLoadResponseCollection") || has("AcceptsListOfFunctionLoadRequests"),
		RouteParameters:   has("RequiresRouteParameters"),
		HTTPURI:           from["HttpUri"],
	}
}
