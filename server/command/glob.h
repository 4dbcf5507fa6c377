// Glob patterns as KEYS, SCAN MATCH and the like take them:
//
//   *        any bytes, also none           [abc]  one byte of these       \x  the byte x itself
//   ?        any one byte                   [^a-c] one byte outside of a to c
//
// A class that is not closed ends with the pattern; a range may be written backwards. Bytes are
// compared, not characters.
//
// Iterative: only the last star is ever tried again, so a match costs at most text times pattern,
// whatever the pattern.
#pragma once

#include "storage/base/bytes.h"

namespace verso::server {

bool GlobMatch(ByteView pattern, ByteView text);

}  // namespace verso::server
