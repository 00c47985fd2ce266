// Package localca gives the manager a certificate when nobody has brought one.
//
// Azure's tools send tokens over https only, so https must be there from the first start. Open makes a certificate
// authority of this installation's own, and with it a certificate for the names under which the manager and its apps
// are reached; both are kept in a folder, so that a restart does not ask anybody to trust something new. The
// authority is constrained to those names: whoever steals its key cannot pose as the rest of the world to the
// machines that trust it. TrustText says how to trust it, tool by tool.
package localca
