package version

// version is set by the linker (Makefile, LDFLAGS), which can only set a package variable.
var version = "dev"

// String is the version, for example "v0.1.0-3-gabc1234", or "dev" for a plain go build.
func String() string { return version }
