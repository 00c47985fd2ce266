package metadata

// Release is what the worker of this release runs. It is the one list: publishing judges packages by it, and the worker
// judges by it what the language worker has indexed.
func Release() Support {
	return Support{
		Triggers: map[string]bool{"httpTrigger": true, "timerTrigger": true},
		Bindings: map[string]bool{"http": true},
	}
}
