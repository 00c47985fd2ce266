// Package binding converts between what triggers and bindings deal in and what language workers read and write.
//
// An HTTP request becomes an RpcHttp in the shape the language worker announced (Input), its route values, query and
// headers become trigger metadata (Metadata), and whatever a function hands to its http output becomes an Answer.
// Everything here is pure; the rules are those of Azure's host.
package binding
