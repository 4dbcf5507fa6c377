// The small file beside the store that says which store this is and how new it must be:
// <dir>/store.id.
//
//   verso-store 1                      format version
//   id      <32 hex digits>            store id, in every catalogue entry too
//   secret  <384 hex digits>           the keyed hash's secret: the server needs it before it has
//   opened anything epoch   <decimal>                  of the newest save known to be committed; 0:
//   none yet save    <32 hex digits>            its save id check   <16 hex digits> checksum of all
//   lines before
//
// Made at the first start, before any store exists; replaced (rename, fsync) by the snapshot writer
// right after each commit. I1 The newest entry of the catalogue is at least as new as this file
// says. RocksDB takes a cut manifest for a shorter history; this file does not. I2 The file exists
// wherever a store exists. A directory with neither is fresh; with a store only, or with a save
// named here and no store, it is damaged.
#pragma once

#include <string>

#include "persistence/store_format.h"

namespace verso::persistence {

struct StoreIdentity {
  Id store_id;
  HashSecret secret;
  Epoch epoch = 0;
  Id save_id;
};

std::string EncodeIdentity(const StoreIdentity& identity);
// Fails: kIncompatible (a newer version, by number), kCorruption.
Result<StoreIdentity> DecodeIdentity(const std::string& text);

// Fails also with kNotFound.
Result<StoreIdentity> ReadIdentity(const std::string& path);
Status WriteIdentity(const std::string& path, const StoreIdentity& identity);

}  // namespace verso::persistence
