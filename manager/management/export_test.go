package management

// Route is a line of the table, for tests that walk over it.
type Route struct {
	Method, Pattern, Action string
	Public, SignedIn        bool
}

// Routes returns the table.
func Routes() []Route {
	var all []Route
	for _, rt := range routes() {
		all = append(all, Route{rt.method, rt.pattern, rt.action, rt.access == public, rt.access == signedIn})
	}
	return all
}
