// Package invoke is the worker's dispatcher: a trigger hands it a Call, it runs the call where the function lives and
// says how it went.
//
// It knows the rules that hold for every trigger: the functionTimeout, what a failure is, what is counted as in flight
// and what is recorded. Where a function lives is a Runner: LanguageWorkers (FunctionRpc) or a custom handler.
package invoke
