// Package archive reads the zip of an app without trusting it. The bytes come from whoever may publish; they go to the
// manager, which refuses a bad zip while the publisher is still listening, and to the worker, which unpacks it on a node.
//
// Check reads the zip's directory and every local header, never more than the limits allow, and answers an Index or an
// error that names the entry, what is wrong with it and the way out. Verify reads all content once and compares sizes
// and checksums. Extract writes it under one folder that nothing can lead out of, complete or not at all. FS shows the
// content to package metadata without unpacking it.
//
// The parser is our own because archive/zip believes the directory: it keeps every entry before anybody can count them,
// and takes local headers, overlaps and names as they come. A package must be able to run on Windows and on Linux nodes
// alike, so what one of the two cannot store under its own name is refused on both.
package archive
