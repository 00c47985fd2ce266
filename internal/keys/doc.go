// Package keys makes and checks what opens things: the access keys of apps, publishing passwords, and the manager's own
// keys in its key file.
//
// An app's key is random text that callers send; the store keeps it sealed and workers get its hash only. The key
// file holds the manager's secrets: the sealing keys that encrypt what the store keeps, the key that signs requests
// from gateway to worker, and the key that signs sign-in tokens. Without the file, nothing sealed can be read again.
package keys
